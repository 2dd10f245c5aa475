/* s1112: a becomes b plus one, walked from the last element to the first. */
#define N1 32000

extern float a[N1], b[N1];

void s1112(void)
{
    for (int i = N1 - 1; i >= 0; i--)
        a[i] = b[i] + 1.0f;
}
