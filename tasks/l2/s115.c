/* s115: forward substitution, each finished element is eliminated from all later ones. */
#define N1 32000
#define N2 256

extern float a[N1], aa[N2][N2];

void s115(void)
{
    for (int j = 0; j < N2; j++)
        for (int i = j + 1; i < N2; i++)
            a[i] -= aa[j][i] * a[j];
}
