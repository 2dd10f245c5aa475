/* s4117: adds a product in which every element of c serves two neighbours. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1];

void s4117(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = b[i] + c[i / 2] * d[i];
}
