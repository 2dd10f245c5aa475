/* s4114: from the n1-th element on, adds a product whose factor c is gathered from the far end. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1];

void s4114(const int *ip, int n1)
{
    for (int i = n1 - 1; i < N1; i++) {
        int k = ip[i];

        a[i] = b[i] + c[N1 - k - 1] * d[i];
    }
}
