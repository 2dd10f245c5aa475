/* s292: averages each element with the two before it, wrapping round at the start. */
#define N1 32000
extern float a[N1], b[N1];

void s292(void)
{
    int before = N1 - 1;
    int before2 = N1 - 2;

    for (int i = 0; i < N1; i++) {
        a[i] = (b[i] + b[before] + b[before2]) * 0.333f;
        before2 = before;
        before = i;
    }
}
