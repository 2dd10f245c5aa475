/* s352: dot product, unrolled by five. */
#define N1 32000
extern float a[N1], b[N1];

float s352(void)
{
    float dot = 0.0f;

    for (int i = 0; i < N1; i += 5) {
        dot = dot + a[i] * b[i] + a[i + 1] * b[i + 1] + a[i + 2] * b[i + 2]
            + a[i + 3] * b[i + 3] + a[i + 4] * b[i + 4];
    }
    return dot;
}
