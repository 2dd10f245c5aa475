/* s127: two results per step go to neighbouring elements of a. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s127(void)
{
    int j = -1;

    for (int i = 0; i < N1 / 2; i++) {
        j++;
        a[j] = b[i] + c[i] * d[i];
        j++;
        a[j] = b[i] + d[i] * e[i];
    }
}
