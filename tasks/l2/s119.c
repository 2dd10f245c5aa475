/* s119: running sums along the diagonals. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2];

void s119(void)
{
    for (int i = 1; i < N2; i++)
        for (int j = 1; j < N2; j++)
            aa[i][j] = aa[i - 1][j - 1] + bb[i][j];
}
