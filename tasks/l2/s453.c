/* s453: multiplies b by a scalar that grows by two with every element. */
#define N1 32000
extern float a[N1], b[N1];

void s453(void)
{
    float s = 0.0f;

    for (int i = 0; i < N1; i++) {
        s += 2.0f;
        a[i] = s * b[i];
    }
}
