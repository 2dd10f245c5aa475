/* s162: shifts a down by k places while adding a product, only if k is positive. */
#define N1 32000

extern float a[N1], b[N1], c[N1];

void s162(int k)
{
    if (k > 0) {
        for (int i = 0; i < N1 - 1; i++)
            a[i] = a[i + k] + b[i] * c[i];
    }
}
