/* s332: first element above a threshold, -1 if there is none. */
#define N1 32000
extern float a[N1];

float s332(float t)
{
    float value = -1.0f;

    for (int i = 0; i < N1; i++) {
        if (a[i] > t) {
            value = a[i];
            break;
        }
    }
    return value;
}
