/* s1161: the sign of c decides whether b or a receives a new value. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s1161(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        if (c[i] < 0.0f)
            b[i] = a[i] + d[i] * d[i];
        else
            a[i] = c[i] + d[i] * e[i];
    }
}
