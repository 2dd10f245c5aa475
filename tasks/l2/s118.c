/* s118: linear recurrence, each element gathers all earlier ones weighted by a column of bb. */
#define N1 32000
#define N2 256

extern float a[N1], bb[N2][N2];

void s118(void)
{
    for (int i = 1; i < N2; i++)
        for (int j = 0; j < i; j++)
            a[i] += bb[j][i] * a[i - j - 1];
}
