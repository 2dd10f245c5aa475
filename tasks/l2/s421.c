/* s421: shifts an array down by one in place while adding a, through two pointers to it. */
#define N1 32000
#define N2 256
extern float a[N1];
extern float flat_2d_array[N2 * N2];

void s421(void)
{
    float *xx = flat_2d_array;
    const float *yy = xx;

    for (int i = 0; i < N1 - 1; i++)
        xx[i] = yy[i + 1] + a[i];
}
