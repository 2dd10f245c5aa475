/* s4121: adds products that a small helper function computes. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

static float product(float x, float y)
{
    return x * y;
}

void s4121(void)
{
    for (int i = 0; i < N1; i++)
        a[i] += product(b[i], c[i]);
}
