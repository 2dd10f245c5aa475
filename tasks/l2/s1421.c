/* s1421: the lower half of b becomes its upper half plus a. */
#define N1 32000

extern float a[N1], b[N1];

void s1421(void)
{
    const float *upper = &b[N1 / 2];

    for (int i = 0; i < N1 / 2; i++)
        b[i] = upper[i] + a[i];
}
