extern int trace(const char *format, ...);
int tell(int level, double load)
{
    return trace("%d %f", level, load) + level;
}
