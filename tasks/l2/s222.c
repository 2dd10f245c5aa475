/* s222: repeated squaring in e between adding a product to a and taking it off again. */
#define N1 32000

extern float a[N1], b[N1], c[N1], e[N1];

void s222(void)
{
    for (int i = 1; i < N1; i++) {
        a[i] += b[i] * c[i];
        e[i] = e[i - 1] * e[i - 1];
        a[i] -= b[i] * c[i];
    }
}
