/* vas: scatters a vector. */
#define N1 32000
extern float a[N1], b[N1];

void vas(const int *ip)
{
    for (int i = 0; i < N1; i++)
        a[ip[i]] = b[i];
}
