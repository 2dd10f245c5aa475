/* s3112: stores the running sums of a in b and returns the last one. */
#define N1 32000
extern float a[N1], b[N1];

float s3112(void)
{
    float sum = 0.0f;

    for (int i = 0; i < N1; i++) {
        sum += a[i];
        b[i] = sum;
    }
    return sum;
}
