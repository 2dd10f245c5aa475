/* s3251: writes the next a, then b, then d from the a written one step earlier. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s3251(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        a[i + 1] = b[i] + c[i];
        b[i] = c[i] * e[i];
        d[i] = a[i] * e[i];
    }
}
