/* s1232: adds bb and cc on the lower triangle with the diagonal, column by column. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];

void s1232(void)
{
    for (int j = 0; j < N2; j++)
        for (int i = j; i < N2; i++)
            aa[i][j] = bb[i][j] + cc[i][j];
}
