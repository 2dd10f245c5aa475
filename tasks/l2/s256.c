/* s256: a is one minus its left neighbour, recomputed for every column of aa that it fills. */
#define N1 32000
#define N2 256

extern float a[N1], d[N1];
extern float aa[N2][N2], bb[N2][N2];

void s256(void)
{
    for (int i = 0; i < N2; i++) {
        for (int j = 1; j < N2; j++) {
            a[j] = 1.0f - a[j - 1];
            aa[j][i] = a[j] + bb[j][i] * d[j];
        }
    }
}
