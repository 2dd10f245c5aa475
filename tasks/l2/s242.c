/* s242: running sum of two integers and three arrays, strictly left to right. */
#define N1 32000

extern float a[N1], b[N1], c[N1], d[N1];

void s242(int s1, int s2)
{
    for (int i = 1; i < N1; i++)
        a[i] = a[i - 1] + (float)s1 + (float)s2 + b[i] + c[i] + d[i];
}
