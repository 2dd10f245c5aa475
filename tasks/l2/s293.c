/* s293: copies the first element over the whole array. */
#define N1 32000
extern float a[N1];

void s293(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = a[0];
}
