/* s443: adds b times c or b squared, depending on whether d is positive. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1];

void s443(void)
{
    for (int i = 0; i < N1; i++) {
        if (d[i] <= 0.0f)
            a[i] += b[i] * c[i];
        else
            a[i] += b[i] * b[i];
    }
}
