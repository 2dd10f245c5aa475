/* s113: all elements but the first become the first one plus b. */
#define N1 32000

extern float a[N1], b[N1];

void s113(void)
{
    for (int i = 1; i < N1; i++)
        a[i] = a[0] + b[i];
}
