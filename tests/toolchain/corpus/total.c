#define N 64
extern float x[N];
float total(void)
{
    float t = 0;
    for (int i = 0; i < N; i++)
        t += x[i];
    return t;
}
