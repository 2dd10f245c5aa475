/* vpvpv: adds the sum of two vectors to a vector. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void vpvpv(void)
{
    for (int i = 0; i < N1; i++)
        a[i] += b[i] + c[i];
}
