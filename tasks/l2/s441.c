/* s441: adds one of three products, chosen by the sign of d. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1];

void s441(void)
{
    for (int i = 0; i < N1; i++) {
        if (d[i] < 0.0f)
            a[i] += b[i] * c[i];
        else if (d[i] == 0.0f)
            a[i] += b[i] * b[i];
        else
            a[i] += c[i] * c[i];
    }
}
