/* s423: adds a to what a pointer into the array reads and stores it in the array, one place up. */
#define N1 32000
#define N2 256
extern float a[N1];
extern float flat_2d_array[N2 * N2];

void s423(float *xx)
{
    for (int i = 0; i < N1 - 1; i++)
        flat_2d_array[i + 1] = xx[i] + a[i];
}
