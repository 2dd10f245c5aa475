/* s233: running sums down the columns of aa and along the rows of bb. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];

void s233(void)
{
    for (int i = 1; i < N2; i++) {
        for (int j = 1; j < N2; j++)
            aa[j][i] = aa[j - 1][i] + cc[j][i];
        for (int j = 1; j < N2; j++)
            bb[j][i] = bb[j][i - 1] + cc[j][i];
    }
}
