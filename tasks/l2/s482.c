/* s482: adds products up to and including the first place where c is above b. */
#define N1 32000
extern float a[N1], b[N1], c[N1];

void s482(void)
{
    for (int i = 0; i < N1; i++) {
        a[i] += b[i] * c[i];
        if (c[i] > b[i])
            break;
    }
}
