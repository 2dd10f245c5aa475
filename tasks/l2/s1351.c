/* s1351: adds two vectors, walking three pointers. */
#define N1 32000

extern float a[N1], b[N1], c[N1];

void s1351(void)
{
    float *sum = a;
    const float *p = b;
    const float *q = c;

    for (int i = 0; i < N1; i++) {
        *sum = *p + *q;
        sum++;
        p++;
        q++;
    }
}
