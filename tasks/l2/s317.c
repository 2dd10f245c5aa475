/* s317: multiplies 0.99 by itself N1 / 2 times, far into the subnormals. */
#define N1 32000

float s317(void)
{
    float q = 1.0f;

    for (int i = 0; i < N1 / 2; i++)
        q *= 0.99f;
    return q;
}
