/* s244: each step also writes the next element of a, which the following step replaces. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s244(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        a[i] = b[i] + c[i] * d[i];
        b[i] = c[i] + b[i];
        a[i + 1] = b[i] + a[i + 1] * d[i];
    }
}
