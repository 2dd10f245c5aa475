/* s312: product of an array, in order. */
#define N1 32000
extern float a[N1];

float s312(void)
{
    float prod = 1.0f;

    for (int i = 0; i < N1; i++)
        prod *= a[i];
    return prod;
}
