/* s2244: each step writes the next element of a and then its own. */
#define N1 32000

extern float a[N1], b[N1], c[N1], e[N1];

void s2244(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        a[i + 1] = b[i] + e[i];
        a[i] = b[i] + c[i];
    }
}
