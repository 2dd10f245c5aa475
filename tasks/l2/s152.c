/* s152: b becomes a product, a routine called per element accumulates it into a. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

static void accumulate(float *p, const float *q, const float *r, int i)
{
    p[i] += q[i] * r[i];
}

void s152(void)
{
    for (int i = 0; i < N1; i++) {
        b[i] = d[i] * e[i];
        accumulate(a, b, c, i);
    }
}
