/* s172: adds b to a from element n1 - 1 on in steps of n3. */
#define N1 32000

extern float a[N1], b[N1];

void s172(int n1, int n3)
{
    for (int i = n1 - 1; i < N1; i += n3)
        a[i] += b[i];
}
