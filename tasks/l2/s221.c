/* s221: an independent update of a feeds a running sum in b. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s221(void)
{
    for (int i = 1; i < N1; i++) {
        a[i] += c[i] * d[i];
        b[i] = b[i - 1] + a[i] + d[i];
    }
}
