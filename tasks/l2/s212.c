/* s212: scales a by c while b collects the next, still unscaled, element. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s212(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        a[i] *= c[i];
        b[i] += a[i + 1] * d[i];
    }
}
