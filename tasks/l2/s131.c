/* s131: shifts a down by a constant distance of one while adding b. */
#define N1 32000

extern float a[N1], b[N1];

void s131(void)
{
    int m = 1;

    for (int i = 0; i < N1 - 1; i++)
        a[i] = a[i + m] + b[i];
}
