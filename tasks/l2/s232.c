/* s232: quadratic recurrence along each row up to the diagonal. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2];

void s232(void)
{
    for (int j = 1; j < N2; j++)
        for (int i = 1; i <= j; i++)
            aa[j][i] = aa[j][i - 1] * aa[j][i - 1] + bb[j][i];
}
