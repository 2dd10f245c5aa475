/* s1281: one sum of products goes to b, the same less one to a. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s1281(void)
{
    for (int i = 0; i < N1; i++) {
        float t = b[i] * c[i] + a[i] * d[i] + e[i];
        a[i] = t - 1.0f;
        b[i] = t;
    }
}
