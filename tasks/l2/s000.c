/* s000: every element of a becomes the element of b plus one. */
#define N1 32000

extern float a[N1], b[N1];

void s000(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = b[i] + 1.0f;
}
