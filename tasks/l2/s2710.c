/* s2710: nested branches on a against b, on the array length and on the sign of x. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s2710(int x)
{
    for (int i = 0; i < N1; i++) {
        if (a[i] > b[i]) {
            a[i] += b[i] * d[i];
            if (N1 > 10)
                c[i] += d[i] * d[i];
            else
                c[i] = d[i] * e[i] + 1.0f;
        } else {
            b[i] = a[i] + e[i] * e[i];
            if (x > 0)
                c[i] = a[i] + d[i] * d[i];
            else
                c[i] += e[i] * e[i];
        }
    }
}
