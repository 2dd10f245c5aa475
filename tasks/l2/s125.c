/* s125: writes aa plus bb times cc, element by element, into a flat array. */
#define N2 256

extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];
extern float flat_2d_array[N2 * N2];

void s125(void)
{
    int k = 0;

    for (int i = 0; i < N2; i++)
        for (int j = 0; j < N2; j++)
            flat_2d_array[k++] = aa[i][j] + bb[i][j] * cc[i][j];
}
