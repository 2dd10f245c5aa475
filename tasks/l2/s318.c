/* s318: finds the first largest absolute value with a stride and returns it plus its one-based step. */
#define N1 32000
extern float a[N1];

float s318(int inc)
{
    int k = inc;
    int index = 0;
    float max = __builtin_fabsf(a[0]);

    for (int i = 1; i < N1; i++) {
        if (!(__builtin_fabsf(a[k]) <= max)) {
            index = i;
            max = __builtin_fabsf(a[k]);
        }
        k += inc;
    }
    return max + (float)index + 1.0f;
}
