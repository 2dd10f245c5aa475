/* s128: a is read off the even elements of b, which are then replaced. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s128(void)
{
    int j = -1;

    for (int i = 0; i < N1 / 2; i++) {
        int k = j + 1;
        a[i] = b[k] - d[i];
        j = k + 1;
        b[k] = a[i] + c[k];
    }
}
