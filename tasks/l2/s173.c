/* s173: the upper half of a becomes the lower half plus b. */
#define N1 32000

extern float a[N1], b[N1];

void s173(void)
{
    int k = N1 / 2;

    for (int i = 0; i < N1 / 2; i++)
        a[i + k] = a[i] + b[i];
}
