/* s451: adds the sine of b to the cosine of c. */
#define N1 32000
extern float a[N1], b[N1], c[N1];
extern float sinf(float);
extern float cosf(float);

void s451(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = sinf(b[i]) + cosf(c[i]);
}
