/* s323: recurrence that goes from b to a and back to b. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s323(void)
{
    for (int i = 1; i < N1; i++) {
        a[i] = b[i - 1] + c[i] * d[i];
        b[i] = a[i] + c[i] * e[i];
    }
}
