/* s452: adds c times the one-based index to b. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s452(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = b[i] + c[i] * (float)(i + 1);
}
