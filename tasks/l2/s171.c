/* s171: adds b to a with a stride known only at run time. */
#define N1 32000

extern float a[N1], b[N1];

void s171(int inc)
{
    for (int i = 0; i < N1; i++)
        a[i * inc] += b[i];
}
