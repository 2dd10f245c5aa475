/* s13110: maximum of a matrix plus the one-based row and column of its first occurrence. */
#define N2 256

extern float aa[N2][N2];

float s13110(void)
{
    float max = aa[0][0];
    int row = 0;
    int column = 0;

    for (int i = 0; i < N2; i++) {
        for (int j = 0; j < N2; j++) {
            if (aa[i][j] > max) {
                max = aa[i][j];
                row = i;
                column = j;
            }
        }
    }
    return max + (float)row + 1.0f + (float)column + 1.0f;
}
