/* s122: adds b, read backwards, to the elements of a from n1 - 1 on in steps of n3. */
#define N1 32000

extern float a[N1], b[N1];

void s122(int n1, int n3)
{
    int k = 0;

    for (int i = n1 - 1; i < N1; i += n3) {
        k++;
        a[i] += b[N1 - k];
    }
}
