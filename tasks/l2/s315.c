/* s315: fills a with a fixed permutation, then returns its maximum plus the one-based place of it. */
#define N1 32000
extern float a[N1];

float s315(void)
{
    for (int i = 0; i < N1; i++)
        a[i] = (float)(i * 7 % N1);

    float largest = a[0];
    int index = 0;

    for (int i = 0; i < N1; i++) {
        if (a[i] > largest) {
            largest = a[i];
            index = i;
        }
    }
    return (float)index + largest + 1.0f;
}
