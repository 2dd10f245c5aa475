/* s278: negates and updates c or b depending on the sign of a, then rebuilds a from both. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s278(void)
{
    for (int i = 0; i < N1; i++) {
        if (a[i] > 0.0f)
            c[i] = -c[i] + d[i] * e[i];
        else
            b[i] = -b[i] + d[i] * e[i];
        a[i] = b[i] + c[i] * d[i];
    }
}
