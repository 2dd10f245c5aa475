/* s491: scatters sums of b and a product. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1];

void s491(const int *ip)
{
    for (int i = 0; i < N1; i++)
        a[ip[i]] = b[i] + c[i] * d[i];
}
