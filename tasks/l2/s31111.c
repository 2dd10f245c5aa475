/* s31111: adds up the first 32 elements, four at a time through a helper. */
#define N1 32000
extern float a[N1];

static float sum_of_four(const float *v)
{
    float s = 0.0f;

    for (int i = 0; i < 4; i++)
        s += v[i];
    return s;
}

float s31111(void)
{
    float sum = 0.0f;

    for (int i = 0; i < 32; i += 4)
        sum += sum_of_four(&a[i]);
    return sum;
}
