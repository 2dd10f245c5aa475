/* vpvts: adds a scaled vector to a vector. */
#define N1 32000
extern float a[N1], b[N1];

void vpvts(float s)
{
    for (int i = 0; i < N1; i++)
        a[i] += b[i] * s;
}
