/* s1111: sums of products of b, c and d go to every second element of a. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s1111(void)
{
    for (int i = 0; i < N1 / 2; i++)
        a[2 * i] = c[i] * b[i] + d[i] * b[i] + c[i] * c[i] + d[i] * b[i] + d[i] * c[i];
}
