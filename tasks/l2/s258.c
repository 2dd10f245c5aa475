/* s258: a scalar takes the square of d where a is positive and keeps its value elsewhere. */
#define N1 32000
#define N2 256

extern float a[N1], b[N1], c[N1], d[N1], e[N1];
extern float aa[N2][N2];

void s258(void)
{
    float s = 0.0f;

    for (int i = 0; i < N2; i++) {
        if (a[i] > 0.0f)
            s = d[i] * d[i];
        b[i] = s * c[i] + d[i];
        e[i] = (s + 1.0f) * aa[0][i];
    }
}
