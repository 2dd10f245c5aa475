/* s231: running sums down the columns, one column after the other. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2];

void s231(void)
{
    for (int i = 0; i < N2; i++)
        for (int j = 1; j < N2; j++)
            aa[j][i] = aa[j - 1][i] + bb[j][i];
}
