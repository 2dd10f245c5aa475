/* s2111: wavefront, each element is the sum of its left and upper neighbours over 1.9. */
#define N2 256

extern float aa[N2][N2];

void s2111(void)
{
    for (int j = 1; j < N2; j++) {
        for (int i = 1; i < N2; i++) {
            float sum = aa[j][i - 1] + aa[j - 1][i];
            aa[j][i] = (float)((double)sum / 1.9);
        }
    }
}
