/* s442: adds the square of one of four arrays, chosen by an index. */
#define N1 32000
extern float a[N1], b[N1], c[N1], d[N1], e[N1];
extern int indx[N1];

void s442(void)
{
    for (int i = 0; i < N1; i++) {
        switch (indx[i]) {
        case 2:
            a[i] += c[i] * c[i];
            break;
        case 3:
            a[i] += d[i] * d[i];
            break;
        case 4:
            a[i] += e[i] * e[i];
            break;
        default:
            a[i] += b[i] * b[i];
            break;
        }
    }
}
