/* s175: every inc-th element becomes the one inc places further plus b. */
#define N1 32000

extern float a[N1], b[N1];

void s175(int inc)
{
    for (int i = 0; i < N1 - 1; i += inc)
        a[i] = a[i + inc] + b[i];
}
