/* s211: a uses the previous new b, b uses its own next old element. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s211(void)
{
    for (int i = 1; i < N1 - 1; i++) {
        a[i] = b[i - 1] + c[i] * d[i];
        b[i] = b[i + 1] - e[i] * d[i];
    }
}
