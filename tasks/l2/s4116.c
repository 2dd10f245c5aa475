/* s4116: dot product of a stretch of a with elements gathered from row j of aa, counted from one. */
#define N1 32000
#define N2 256
extern float a[N1];
extern float aa[N2][N2];

float s4116(const int *ip, int j, int inc)
{
    float sum = 0.0f;

    for (int i = 0; i < N2 - 1; i++) {
        int off = inc + i;

        sum += a[off] * aa[j - 1][ip[i]];
    }
    return sum;
}
