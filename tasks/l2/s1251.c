/* s1251: exchanges a and b through a scalar while adding c and d and scaling by e. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s1251(void)
{
    for (int i = 0; i < N1; i++) {
        float s = b[i] + c[i];
        b[i] = a[i] + d[i];
        a[i] = s * e[i];
    }
}
