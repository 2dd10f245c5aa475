/* s1119: running sums down the columns, one row after the other. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2];

void s1119(void)
{
    for (int i = 1; i < N2; i++)
        for (int j = 0; j < N2; j++)
            aa[i][j] = aa[i - 1][j] + bb[i][j];
}
