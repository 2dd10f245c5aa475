/* vif: copies the positive elements of a vector, each to its own place. */
#define N1 32000
extern float a[N1], b[N1];

void vif(void)
{
    for (int i = 0; i < N1; i++) {
        if (b[i] > 0.0f)
            a[i] = b[i];
    }
}
