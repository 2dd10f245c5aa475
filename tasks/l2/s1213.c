/* s1213: a needs the previous new b, b needs the next old a. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s1213(void)
{
    for (int i = 1; i < N1 - 1; i++) {
        a[i] = b[i - 1] + c[i];
        b[i] = a[i + 1] * d[i];
    }
}
