/* s253: where a exceeds b, takes b times d off a and adds the rest to c. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s253(void)
{
    for (int i = 0; i < N1; i++) {
        if (a[i] > b[i]) {
            float s = a[i] - b[i] * d[i];
            c[i] += s;
            a[i] = s;
        }
    }
}
