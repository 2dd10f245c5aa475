/* s2251: a scalar carries the sum of b and c over to the next step. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s2251(void)
{
    float s = 0.0f;

    for (int i = 0; i < N1; i++) {
        a[i] = s * e[i];
        s = b[i] + c[i];
        b[i] = a[i] + d[i];
    }
}
