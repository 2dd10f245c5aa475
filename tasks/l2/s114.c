/* s114: fills the strict lower triangle from the mirrored upper one plus bb. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2];

void s114(void)
{
    for (int i = 0; i < N2; i++)
        for (int j = 0; j < i; j++)
            aa[i][j] = aa[j][i] + bb[i][j];
}
