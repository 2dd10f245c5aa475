/* s257: an element of a serves as the scalar while a column of aa is walked. */
#define N1 32000
#define N2 256

extern float a[N1];
extern float aa[N2][N2], bb[N2][N2];

void s257(void)
{
    for (int i = 1; i < N2; i++) {
        for (int j = 0; j < N2; j++) {
            a[i] = aa[j][i] - a[i - 1];
            aa[j][i] = a[i] + bb[j][i];
        }
    }
}
