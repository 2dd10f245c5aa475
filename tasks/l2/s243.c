/* s243: a and b feed each other twice, the last time with the next old element of a. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s243(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        a[i] = b[i] + c[i] * d[i];
        b[i] = a[i] + d[i] * e[i];
        a[i] = b[i] + a[i + 1] * d[i];
    }
}
