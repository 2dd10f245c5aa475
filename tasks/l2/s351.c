/* s351: adds a scaled vector to a vector, unrolled by five. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s351(void)
{
    float alpha = c[0];

    for (int i = 0; i < N1; i += 5) {
        a[i] += alpha * b[i];
        a[i + 1] += alpha * b[i + 1];
        a[i + 2] += alpha * b[i + 2];
        a[i + 3] += alpha * b[i + 3];
        a[i + 4] += alpha * b[i + 4];
    }
}
