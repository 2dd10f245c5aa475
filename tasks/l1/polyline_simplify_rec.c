#include <stdint.h>

/* map units, within 2^20 of the tile's origin */
struct pt32 { int32_t x, y; };

#define DEEPEST 12

static void keepPoint(uint32_t *keep, unsigned i)
{
    keep[i >> 5] |= (uint32_t)1 << (i & 31);
}

/* Is a point that far from a chord further off than the tolerance?
   area is the cross product's magnitude, so the distance is area / length. */
static int beyond(int64_t area, int64_t len2, int64_t tol2)
{
    unsigned s = 0;

    if (area <= INT32_MAX && tol2 <= INT64_MAX / len2)
        return area * area > tol2 * len2;

    /* a distance is below 2^22, hence len2 outlasts the shift */
    while (area >> s > INT32_MAX)
        s++;
    return (area >> s) * (area >> s) / (len2 >> 2 * s) > tol2;
}

static unsigned split(const struct pt32 *p, unsigned first, unsigned last,
                      int64_t tol2, uint32_t *keep, unsigned depth)
{
    unsigned i, worst, kept;
    int64_t dx, dy, len2, far = -1;

    if (last <= first + 1)
        return 0;

    if (depth > DEEPEST) {
        /* no stack left for this one, thin it out instead */
        kept = 0;
        for (i = first + 2; i < last; i += 2, kept++)
            keepPoint(keep, i);
        return kept;
    }

    dx = (int64_t)p[last].x - p[first].x;
    dy = (int64_t)p[last].y - p[first].y;
    len2 = dx * dx + dy * dy;

    worst = first;
    for (i = first + 1; i < last; i++) {
        int64_t rx = (int64_t)p[i].x - p[first].x;
        int64_t ry = (int64_t)p[i].y - p[first].y;
        int64_t m;

        if (len2 == 0) {
            m = rx * rx + ry * ry;
        } else {
            m = dx * ry - dy * rx;
            if (m < 0)
                m = -m;
        }
        if (m > far) {
            far = m;
            worst = i;
        }
    }

    if (!(len2 == 0 ? far > tol2 : beyond(far, len2, tol2)))
        return 0;

    keepPoint(keep, worst);
    kept = 1;
    kept += split(p, first, worst, tol2, keep, depth + 1);
    kept += split(p, worst, last, tol2, keep, depth + 1);
    return kept;
}

/* Caller has set the bits of both ends in keep. */
unsigned polyline_simplify_rec(const struct pt32 *p, unsigned first, unsigned last, int64_t tol2, uint32_t *keep)
{
    return split(p, first, last, tol2, keep, 0);
}
