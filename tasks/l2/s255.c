/* s255: third of the sum of each element of b and the two before it, wrapping round at the start. */
#define N1 32000

extern float a[N1], b[N1];

void s255(void)
{
    float last = b[N1 - 1];
    float last_but_one = b[N1 - 2];

    for (int i = 0; i < N1; i++) {
        a[i] = (b[i] + last + last_but_one) * 0.333f;
        last_but_one = last;
        last = b[i];
    }
}
