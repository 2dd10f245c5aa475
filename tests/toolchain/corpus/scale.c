void scale(float *y, const float *x, float k, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = k * x[i];
}
