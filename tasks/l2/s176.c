/* s176: convolution of b with c, added to the lower half of a. */
#define N1 32000

extern float a[N1], b[N1], c[N1];

void s176(void)
{
    int m = N1 / 2;

    for (int j = 0; j < m; j++)
        for (int i = 0; i < m; i++)
            a[i] += b[i + m - j - 1] * c[j];
}
