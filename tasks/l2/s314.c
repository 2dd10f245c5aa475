/* s314: largest element of an array. */
#define N1 32000
extern float a[N1];

float s314(void)
{
    float largest = a[0];

    for (int i = 0; i < N1; i++) {
        if (a[i] > largest)
            largest = a[i];
    }
    return largest;
}
