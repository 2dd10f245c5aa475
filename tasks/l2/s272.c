/* s272: updates a and b wherever e reaches the threshold t. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s272(float t)
{
    for (int i = 0; i < N1; i++) {
        if (e[i] >= t) {
            a[i] += c[i] * d[i];
            b[i] += c[i] * c[i];
        }
    }
}
