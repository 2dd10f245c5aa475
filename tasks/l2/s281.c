/* s281: combines each element with its mirror image, which is already new past the middle. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s281(void)
{
    for (int i = 0; i < N1; i++) {
        float t = a[N1 - i - 1] + b[i] * c[i];

        a[i] = t - 1.0f;
        b[i] = t;
    }
}
