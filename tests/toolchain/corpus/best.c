int best(const int *p, int n)
{
    int at = -1;
    for (int i = 0; i < n; i++)
        if (at < 0 || p[i] > p[at])
            at = i;
    return at;
}
