/* s151: shifts a down by one place while adding b, inside a routine that gets the distance. */
#define N1 32000

extern float a[N1], b[N1];

static void add_shifted(float *p, const float *q, int m)
{
    for (int i = 0; i < N1 - 1; i++)
        p[i] = p[i + m] + q[i];
}

void s151(void)
{
    add_shifted(a, b, 1);
}
