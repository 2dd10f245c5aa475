/* s471: updates x and then b with a call to an unknown routine in between. */
#define N1 32000
extern float b[N1], c[N1], d[N1], e[N1], x[N1];
extern int s471s(void);

void s471(void)
{
    for (int i = 0; i < N1; i++) {
        x[i] = b[i] + d[i] * d[i];
        s471s();
        b[i] = c[i] + d[i] * e[i];
    }
}
