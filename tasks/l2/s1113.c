/* s1113: adds the middle element of a, which changes on the way, to all of b. */
#define N1 32000

extern float a[N1], b[N1];

void s1113(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = a[N1 / 2] + b[i];
}
