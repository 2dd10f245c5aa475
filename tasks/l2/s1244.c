/* s1244: a polynomial in b and c goes to a, d adds it to the next old element. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s1244(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        a[i] = b[i] + c[i] * c[i] + b[i] * b[i] + c[i];
        d[i] = a[i] + a[i + 1];
    }
}
