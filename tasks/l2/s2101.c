/* s2101: adds the product of two matrix diagonals to a third diagonal. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];

void s2101(void)
{
    for (int i = 0; i < N2; i++)
        aa[i][i] += bb[i][i] * cc[i][i];
}
