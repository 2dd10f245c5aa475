/* s343: packs the elements of aa that are selected by a positive bb, column by column. */
#define N2 256
extern float aa[N2][N2], bb[N2][N2];
extern float flat_2d_array[N2 * N2];

void s343(void)
{
    int k = -1;

    for (int col = 0; col < N2; col++) {
        for (int row = 0; row < N2; row++) {
            if (bb[row][col] > 0.0f) {
                k++;
                flat_2d_array[k] = aa[row][col];
            }
        }
    }
}
