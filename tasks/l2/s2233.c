/* s2233: running sums down the columns, aa a column at a time and bb a row at a time. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];

void s2233(void)
{
    for (int i = 1; i < N2; i++) {
        for (int j = 1; j < N2; j++)
            aa[j][i] = aa[j - 1][i] + cc[j][i];
        for (int j = 1; j < N2; j++)
            bb[i][j] = bb[i - 1][j] + cc[i][j];
    }
}
