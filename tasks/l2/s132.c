/* s132: row 0 becomes row 1 shifted right by one column plus a scaled b. */
#define N1 32000
#define N2 256

extern float b[N1], c[N1], aa[N2][N2];

void s132(void)
{
    int m = 0;
    int j = m;
    int k = m + 1;

    for (int i = 1; i < N2; i++)
        aa[j][i] = aa[k][i - 1] + b[i] * c[1];
}
