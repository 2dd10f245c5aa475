/* s277: nested sign tests on a and b, where the next b depends on the outer one. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];

void s277(void)
{
    for (int i = 0; i < N1 - 1; i++) {
        if (!(a[i] >= 0.0f)) {
            if (!(b[i] >= 0.0f))
                a[i] += c[i] * d[i];
            b[i + 1] = c[i] + d[i] * e[i];
        }
    }
}
