/* s279: like a two-way update of b or c by the sign of a, with a second test inside one branch. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s279(void)
{
    for (int i = 0; i < N1; i++) {
        if (a[i] > 0.0f) {
            c[i] = -c[i] + e[i] * e[i];
        } else {
            b[i] = -b[i] + d[i] * d[i];
            if (!(b[i] <= a[i]))
                c[i] += d[i] * e[i];
        }
        a[i] = b[i] + c[i] * d[i];
    }
}
