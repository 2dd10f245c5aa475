/* s2712: adds a product to the elements of a that are above those of b. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s2712(void)
{
    for (int i = 0; i < N1; i++) {
        if (a[i] > b[i])
            a[i] += b[i] * c[i];
    }
}
