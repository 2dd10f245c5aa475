/* s424: adds a to the array and stores it through a pointer into the same array, one place up. */
#define N1 32000
#define N2 256
extern float a[N1];
extern float flat_2d_array[N2 * N2];

void s424(float *xx)
{
    for (int i = 0; i < N1 - 1; i++)
        xx[i + 1] = flat_2d_array[i] + a[i];
}
