#define N 64
extern unsigned char text[N];
extern int counts[4];
void kinds(void)
{
    for (int i = 0; i < N; i++)
        switch (text[i] & 3) {
        case 0: counts[0] += 1; break;
        case 1: counts[1] += 3; break;
        case 2: counts[2] -= 1; break;
        default: counts[3] ^= 5; break;
        }
}
