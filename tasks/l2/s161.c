/* s161: the sign of b decides between updating a and the next element of c. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s161(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        if (b[i] < 0.0f)
            c[i + 1] = a[i] + d[i] * d[i];
        else
            a[i] = c[i] + d[i] * e[i];
    }
}
