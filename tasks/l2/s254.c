/* s254: mean of each element of b and the one before it, wrapping round at the start. */
#define N1 32000

extern float a[N1], b[N1];

void s254(void)
{
    float previous = b[N1 - 1];

    for (int i = 0; i < N1; i++) {
        a[i] = (b[i] + previous) * 0.5f;
        previous = b[i];
    }
}
