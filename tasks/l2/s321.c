/* s321: first-order linear recurrence. */
#define N1 32000
extern float a[N1], b[N1];

void s321(void)
{
    for (int i = 1; i < N1; i++)
        a[i] += a[i - 1] * b[i];
}
