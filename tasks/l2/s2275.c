/* s2275: adds a product to each column of aa and then sets one element of a. */
#define N1 32000
#define N2 256

extern float a[N1], b[N1], c[N1], d[N1];
extern float aa[N2][N2], bb[N2][N2], cc[N2][N2];

void s2275(void)
{
    for (int i = 0; i < N2; i++) {
        for (int j = 0; j < N2; j++)
            aa[j][i] += bb[j][i] * cc[j][i];
        a[i] = b[i] + c[i] * d[i];
    }
}
