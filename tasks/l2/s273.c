/* s273: three updates, the middle one only where the new a is negative. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s273(void)
{
    for (int i = 0; i < N1; i++) {
        a[i] += d[i] * e[i];
        if (a[i] < 0.0f)
            b[i] += d[i] * e[i];
        c[i] += a[i] * d[i];
    }
}
