/* s252: adds each product of b and c to the previous one. */
#define N1 32000

extern float a[N1], b[N1], c[N1];

void s252(void)
{
    float previous = 0.0f;

    for (int i = 0; i < N1; i++) {
        float product = b[i] * c[i];
        a[i] = product + previous;
        previous = product;
    }
}
