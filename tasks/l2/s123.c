/* s123: packs one or two results per step into a, two where c is positive. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s123(void)
{
    int j = -1;

    for (int i = 0; i < N1 / 2; i++) {
        j++;
        a[j] = b[i] + d[i] * e[i];
        if (c[i] > 0.0f) {
            j++;
            a[j] = c[i] + d[i] * e[i];
        }
    }
}
