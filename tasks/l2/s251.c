/* s251: squares b plus c times d through a scalar. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s251(void)
{
    for (int i = 0; i < N1; i++) {
        float s = b[i] + c[i] * d[i];
        a[i] = s * s;
    }
}
