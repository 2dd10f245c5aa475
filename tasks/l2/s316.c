/* s316: smallest element of an array. */
#define N1 32000
extern float a[N1];

float s316(void)
{
    float smallest = a[0];

    for (int i = 1; i < N1; i++) {
        if (a[i] < smallest)
            smallest = a[i];
    }
    return smallest;
}
