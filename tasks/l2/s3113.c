/* s3113: largest absolute value of an array. */
#define N1 32000
extern float a[N1];

float s3113(void)
{
    float max = __builtin_fabsf(a[0]);

    for (int i = 0; i < N1; i++) {
        if (__builtin_fabsf(a[i]) > max)
            max = __builtin_fabsf(a[i]);
    }
    return max;
}
