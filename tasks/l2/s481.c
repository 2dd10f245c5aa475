/* s481: adds products until a negative d stops the program. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1];
extern _Noreturn void s481_stop(int status);

void s481(void)
{
    for (int i = 0; i < N1; i++) {
        if (d[i] < 0.0f)
            s481_stop(0);
        a[i] += b[i] * c[i];
    }
}
