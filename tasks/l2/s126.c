/* s126: recurrences down the columns of bb with coefficients from a flat array. */
#define N2 256

extern float bb[N2][N2], cc[N2][N2];
extern float flat_2d_array[N2 * N2];

void s126(void)
{
    int k = 1;

    for (int i = 0; i < N2; i++) {
        for (int j = 1; j < N2; j++) {
            bb[j][i] = bb[j - 1][i] + flat_2d_array[k - 1] * cc[j][i];
            k++;
        }
        k++;
    }
}
