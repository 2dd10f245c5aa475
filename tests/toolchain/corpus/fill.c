#define N 64
extern int a[N], b[N];
void fill(void)
{
    for (int i = 0; i < N; i++)
        a[i] = i < 32 ? b[i] : 0;
}
