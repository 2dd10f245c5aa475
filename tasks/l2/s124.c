/* s124: stores one result per step from either branch, with an index counted in both. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s124(void)
{
    int j = -1;

    for (int i = 0; i < N1; i++) {
        if (b[i] > 0.0f) {
            j++;
            a[j] = b[i] + d[i] * e[i];
        } else {
            j++;
            a[j] = c[i] + d[i] * e[i];
        }
    }
}
