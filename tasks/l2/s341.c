/* s341: packs the positive elements of b to the front of a. */
#define N1 32000
extern float a[N1], b[N1];

void s341(void)
{
    int j = -1;

    for (int i = 0; i < N1; i++) {
        if (b[i] > 0.0f) {
            j++;
            a[j] = b[i];
        }
    }
}
