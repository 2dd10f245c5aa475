/* s235: updates an element of a, then runs down a column of aa with it. */
#define N1 32000
#define N2 256

extern float a[N1], b[N1], c[N1];
extern float aa[N2][N2], bb[N2][N2];

void s235(void)
{
    for (int i = 0; i < N2; i++) {
        a[i] += b[i] * c[i];
        for (int j = 1; j < N2; j++)
            aa[j][i] = aa[j - 1][i] + bb[j][i] * a[i];
    }
}
