/* vtvtv: multiplies a vector by two vectors, one after the other. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void vtvtv(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = a[i] * b[i] * c[i];
}
