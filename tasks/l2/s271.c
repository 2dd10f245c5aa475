/* s271: adds b times c to a where b is positive. */
#define N1 32000

extern float a[N1], b[N1], c[N1];

void s271(void)
{
    for (int i = 0; i < N1; i++) {
        if (b[i] > 0.0f)
            a[i] += b[i] * c[i];
    }
}
