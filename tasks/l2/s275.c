/* s275: runs products down each column of aa whose top element is positive. */
#define N2 256
extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];

void s275(void)
{
    for (int col = 0; col < N2; col++) {
        if (aa[0][col] > 0.0f) {
            for (int row = 1; row < N2; row++)
                aa[row][col] = aa[row - 1][col] + bb[row][col] * cc[row][col];
        }
    }
}
