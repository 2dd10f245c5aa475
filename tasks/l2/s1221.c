/* s1221: running sum with distance four. */
#define N1 32000

extern float a[N1], b[N1];

void s1221(void)
{
    for (int i = 4; i < N1; i++)
        b[i] = b[i - 4] + a[i];
}
