/* s241: b multiplies the new element of a by the next old one. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s241(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        a[i] = b[i] * c[i] * d[i];
        b[i] = a[i] * a[i + 1] * d[i];
    }
}
