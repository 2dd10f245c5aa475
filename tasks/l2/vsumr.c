/* vsumr: sum of a vector. */
#define N1 32000
extern float a[N1];

float vsumr(void)
{
    float sum = 0.0f;

    for (int i = 0; i < N1; i++)
        sum += a[i];
    return sum;
}
