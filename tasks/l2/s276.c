/* s276: adds b times c in the first half of a and b times d in the rest. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1];

void s276(void)
{
    const int mid = N1 / 2;

    for (int i = 0; i < N1; i++) {
        if (i + 1 < mid)
            a[i] += b[i] * c[i];
        else
            a[i] += b[i] * d[i];
    }
}
