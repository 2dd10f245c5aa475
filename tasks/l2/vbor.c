/* vbor: multiplies sums of triple products of six vectors, many operations for few loads. */
#define N1 32000
#define N2 256
extern float a[N1], b[N1], c[N1], d[N1], e[N1], x[N1];
extern float aa[N2][N2];

void vbor(void)
{
    for (int i = 0; i < N2; i++) {
        float p = a[i];
        float q = b[i];
        float r = c[i];
        float s = d[i];
        float t = e[i];
        float u = aa[0][i];

        /* every triple of the six once, grouped by its first factor */
        float with_p = p * q * r + p * q * s + p * q * t + p * q * u
                     + p * r * s + p * r * t + p * r * u
                     + p * s * t + p * s * u
                     + p * t * u;
        float with_q = q * r * s + q * r * t + q * r * u
                     + q * s * t + q * s * u
                     + q * t * u;
        float with_r = r * s * t + r * s * u + r * t * u;
        float with_s = s * t * u;

        x[i] = with_p * with_q * with_r * with_s;
    }
}
