/* s2711: adds a product to each element, but only where the factor b is not zero. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s2711(void)
{
    for (int i = 0; i < N1; i++) {
        if (b[i] != 0.0f)
            a[i] += b[i] * c[i];
    }
}
