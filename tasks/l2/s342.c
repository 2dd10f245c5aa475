/* s342: replaces the positive elements of a by successive elements of b. */
#define N1 32000
extern float a[N1], b[N1];

void s342(void)
{
    int j = -1;

    for (int i = 0; i < N1; i++) {
        if (a[i] > 0.0f) {
            j++;
            a[i] = b[j];
        }
    }
}
