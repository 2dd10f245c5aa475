/* s353: adds a scaled gathered vector to a vector, unrolled by five. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s353(const int *ip)
{
    float alpha = c[0];

    for (int i = 0; i < N1; i += 5) {
        a[i] += alpha * b[ip[i]];
        a[i + 1] += alpha * b[ip[i + 1]];
        a[i + 2] += alpha * b[ip[i + 2]];
        a[i + 3] += alpha * b[ip[i + 3]];
        a[i + 4] += alpha * b[ip[i + 4]];
    }
}
