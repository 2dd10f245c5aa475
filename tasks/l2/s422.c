/* s422: shifts an array down by four in place while adding a, through a pointer to its fifth element. */
#define N1 32000
#define N2 256
extern float a[N1];
extern float flat_2d_array[N2 * N2];

void s422(void)
{
    float *xx = flat_2d_array + 4;

    for (int i = 0; i < N1; i++)
        xx[i] = flat_2d_array[i + 8] + a[i];
}
