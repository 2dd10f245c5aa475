/* s2102: makes aa the identity matrix, column by column. */
#define N2 256

extern float aa[N2][N2];

void s2102(void)
{
    for (int i = 0; i < N2; i++) {
        for (int j = 0; j < N2; j++)
            aa[j][i] = 0.0f;
        aa[i][i] = 1.0f;
    }
}
