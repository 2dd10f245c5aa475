/* s331: one-based place of the last negative element, 0 if there is none. */
#define N1 32000
extern float a[N1];

int s331(void)
{
    int j = -1;

    for (int i = 0; i < N1; i++) {
        if (a[i] < 0.0f)
            j = i;
    }
    return j + 1;
}
