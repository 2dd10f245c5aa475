/* s3110: finds the first maximum of a matrix and returns it plus its one-based row and column. */
#define N2 256
extern float aa[N2][N2];

float s3110(void)
{
    float max = aa[0][0];
    int row = 0;
    int col = 0;

    for (int i = 0; i < N2; i++) {
        for (int j = 0; j < N2; j++) {
            if (aa[i][j] > max) {
                max = aa[i][j];
                row = i;
                col = j;
            }
        }
    }
    return max + (float)row + 1.0f + (float)col + 1.0f;
}
