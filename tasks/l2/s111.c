/* s111: each odd element becomes its even left neighbour plus b. */
#define N1 32000

extern float a[N1], b[N1];

void s111(void)
{
    for (int i = 1; i < N1; i += 2)
        a[i] = a[i - 1] + b[i];
}
