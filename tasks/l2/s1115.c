/* s1115: multiplies aa by the transpose of cc element by element and adds bb. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];

void s1115(void)
{
    for (int i = 0; i < N2; i++)
        for (int j = 0; j < N2; j++)
            aa[i][j] = aa[i][j] * cc[j][i] + bb[i][j];
}
