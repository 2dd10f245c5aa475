/* s4115: dot product with a gathered vector. */
#define N1 32000
extern float a[N1], b[N1];

float s4115(const int *ip)
{
    float sum = 0.0f;

    for (int i = 0; i < N1; i++)
        sum += a[i] * b[ip[i]];
    return sum;
}
