/* s112: shifts a up by one place while adding b, from the top downwards. */
#define N1 32000

extern float a[N1], b[N1];

void s112(void)
{
    for (int i = N1 - 2; i >= 0; i--)
        a[i + 1] = a[i] + b[i];
}
