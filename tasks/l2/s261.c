/* s261: one scalar holds two different values in turn, c is read one step behind. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s261(void)
{
    for (int i = 1; i < N1; i++) {
        float t = a[i] + b[i];
        a[i] = t + c[i - 1];
        t = c[i] * d[i];
        c[i] = t;
    }
}
