/* s121: shifts a down by one place while adding b, through a second index. */
#define N1 32000

extern float a[N1], b[N1];

void s121(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        int j = i + 1;
        a[i] = a[j] + b[i];
    }
}
