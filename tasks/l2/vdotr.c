/* vdotr: dot product of two vectors. */
#define N1 32000
extern float a[N1], b[N1];

float vdotr(void)
{
    float dot = 0.0f;

    for (int i = 0; i < N1; i++)
        dot += a[i] * b[i];
    return dot;
}
