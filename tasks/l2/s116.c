/* s116: multiplies each element by its right neighbour, five at a time. */
#define N1 32000

extern float a[N1];

void s116(void)
{
    for (int i = 0; i < N1 - 5; i += 5) {
        a[i] = a[i + 1] * a[i];
        a[i + 1] = a[i + 2] * a[i + 1];
        a[i + 2] = a[i + 3] * a[i + 2];
        a[i + 3] = a[i + 4] * a[i + 3];
        a[i + 4] = a[i + 5] * a[i + 4];
    }
}
