/* s174: copies the first M elements of a up by M places while adding b. */
#define N1 32000

extern float a[N1], b[N1];

void s174(int M)
{
    for (int i = 0; i < M; i++)
        a[i + M] = a[i] + b[i];
}
