/* s319: computes two sums of arrays and adds up both results in one total. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

float s319(void)
{
    float sum = 0.0f;

    for (int i = 0; i < N1; i++) {
        a[i] = c[i] + d[i];
        sum += a[i];
        b[i] = c[i] + e[i];
        sum += b[i];
    }
    return sum;
}
