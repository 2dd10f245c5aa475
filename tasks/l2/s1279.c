/* s1279: updates c where a is negative and b is greater than a. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s1279(void)
{
    for (int i = 0; i < N1; i++) {
        if (a[i] < 0.0f) {
            if (b[i] > a[i])
                c[i] += d[i] * e[i];
        }
    }
}
