/* s4112: adds gathered elements times a scalar. */
#define N1 32000
extern float a[N1], b[N1];

void s4112(const int *ip, float s)
{
    for (int i = 0; i < N1; i++)
        a[i] += b[ip[i]] * s;
}
