/* s431: adds b to a shifted by k, which is always 0. */
#define N1 32000
extern float a[N1], b[N1];

void s431(int k)
{
    for (int i = 0; i < N1; i++)
        a[i] = a[i + k] + b[i];
}
