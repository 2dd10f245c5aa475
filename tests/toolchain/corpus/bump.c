#define N 64
extern int a[N], b[N];
void bump(int s)
{
    for (int i = 0; i < N; i++)
        a[i] = b[i] + s;
}
