/* s141: adds the lower triangle of bb to a packed symmetric matrix. */
#define N2 256

extern float bb[N2][N2];
extern float flat_2d_array[N2 * N2];

void s141(void)
{
    for (int i = 0; i < N2; i++) {
        int k = (i + 1) * i / 2 + i;
        for (int j = i; j < N2; j++) {
            flat_2d_array[k] += bb[j][i];
            k += j + 1;
        }
    }
}
