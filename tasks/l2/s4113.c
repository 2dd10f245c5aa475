/* s4113: gathers from b and scatters the sum with c to the same places of a. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s4113(const int *ip)
{
    for (int i = 0; i < N1; i++)
        a[ip[i]] = b[ip[i]] + c[i];
}
