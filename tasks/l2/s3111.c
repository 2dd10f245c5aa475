/* s3111: sum of the positive elements. */
#define N1 32000
extern float a[N1];

float s3111(void)
{
    float sum = 0.0f;

    for (int i = 0; i < N1; i++) {
        if (a[i] > 0.0f)
            sum += a[i];
    }
    return sum;
}
