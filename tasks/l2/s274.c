/* s274: computes a and either adds it to b or, where it is not positive, replaces it by the product alone. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s274(void)
{
    for (int i = 0; i < N1; i++) {
        a[i] = c[i] + e[i] * d[i];
        if (a[i] > 0.0f)
            b[i] = a[i] + b[i];
        else
            a[i] = d[i] * e[i];
    }
}
