/* s322: second-order linear recurrence. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s322(void)
{
    for (int i = 2; i < N1; i++)
        a[i] = a[i] + a[i - 1] * b[i] + a[i - 2] * c[i];
}
