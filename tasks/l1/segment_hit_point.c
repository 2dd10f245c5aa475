#include <stdint.h>

#define PARALLEL_TOL 1.0e-24        /* squared sine */
#define SHORTEST     1.0e-18        /* squared length of a point */

struct pt  { double x, y; };
struct seg { struct pt p, q; };

enum
{
    HIT_NONE,
    HIT_PROPER,
    HIT_TOUCH,
    HIT_OVERLAP,
    HIT_APART,          /* parallel, or on one line with a gap */
    HIT_DEGENERATE
};

enum { END_AP = 1, END_AQ = 2, END_BP = 4, END_BQ = 8 };

struct hit
{
    int32_t kind;
    uint32_t ends;      /* which ends are touched */
    double t, u;        /* parameters on a and b; for an overlap its range on a */
    double x, y;
};

static double cross2(struct pt a, struct pt b)
{
    return a.x * b.y - a.y * b.x;
}

static double dot2(struct pt a, struct pt b)
{
    return a.x * b.x + a.y * b.y;
}

static struct pt minus(struct pt a, struct pt b)
{
    struct pt d = { a.x - b.x, a.y - b.y };
    return d;
}

static double low(double a, double b)  { return b < a ? b : a; }
static double high(double a, double b) { return b > a ? b : a; }
static double size1(struct pt d)       { return (d.x < 0 ? -d.x : d.x) + (d.y < 0 ? -d.y : d.y); }

/* Foot of point c on the segment from o along d, as parameter. */
static double foot(struct pt c, struct pt o, struct pt d, double len2)
{
    double t = dot2(minus(c, o), d) / len2;
    return t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
}

/*
 * Snapping tool and trimming both come through here, the latter with eps 0.
 * No square roots: all tolerances are compared as squares.
 */
struct hit segment_hit_point(struct seg a, struct seg b, double eps)
{
    struct hit h = { HIT_NONE, 0, 0.0, 0.0, 0.0, 0.0 };
    struct pt d = minus(a.q, a.p);
    struct pt e = minus(b.q, b.p);
    struct pt r = minus(b.p, a.p);
    double la = dot2(d, d);
    double lb = dot2(e, e);
    double slack, den;

    if (eps < 0.0)
        eps = 0.0;

    slack = eps * (size1(d) + size1(e));
    if (low(a.p.x, a.q.x) - slack > high(b.p.x, b.q.x) || low(b.p.x, b.q.x) - slack > high(a.p.x, a.q.x) ||
        low(a.p.y, a.q.y) - slack > high(b.p.y, b.q.y) || low(b.p.y, b.q.y) - slack > high(a.p.y, a.q.y))
        return h;

    if (la < SHORTEST || lb < SHORTEST)
    {
        h.kind = HIT_DEGENERATE;
        h.x = a.p.x;
        h.y = a.p.y;
        if (la >= SHORTEST)
        {
            h.t = foot(b.p, a.p, d, la);
            h.x = b.p.x;
            h.y = b.p.y;
        }
        else if (lb >= SHORTEST)
        {
            h.u = foot(a.p, b.p, e, lb);
        }
        return h;
    }

    den = cross2(d, e);
    if (den * den <= PARALLEL_TOL * la * lb)
    {
        double off = cross2(d, r);
        double t0, t1, from, to;

        h.kind = HIT_APART;
        if (off * off > PARALLEL_TOL * la * (la + dot2(r, r)))
            return h;

        t0 = dot2(r, d) / la;
        t1 = t0 + dot2(e, d) / la;
        from = high(0.0, low(t0, t1));
        to = low(1.0, high(t0, t1));
        if (from - to > eps)
            return h;

        h.kind = from < to ? HIT_OVERLAP : HIT_TOUCH;
        h.t = from;
        h.u = to;
        h.x = a.p.x + from * d.x;
        h.y = a.p.y + from * d.y;
        return h;
    }

    h.t = cross2(r, e) / den;
    h.u = cross2(r, d) / den;
    if (h.t < -eps || h.t > 1.0 + eps || h.u < -eps || h.u > 1.0 + eps)
    {
        h.t = 0.0;
        h.u = 0.0;
        return h;
    }

    if (h.t <= eps)
    {
        h.t = 0.0;
        h.ends |= END_AP;
    }
    else if (h.t >= 1.0 - eps)
    {
        h.t = 1.0;
        h.ends |= END_AQ;
    }
    if (h.u <= eps)
    {
        h.u = 0.0;
        h.ends |= END_BP;
    }
    else if (h.u >= 1.0 - eps)
    {
        h.u = 1.0;
        h.ends |= END_BQ;
    }

    h.kind = h.ends ? HIT_TOUCH : HIT_PROPER;
    /* an end of b is exact, a point computed on a is not */
    if ((h.ends & (END_AP | END_AQ)) == 0 && h.ends != 0)
    {
        h.x = (h.ends & END_BP) ? b.p.x : b.q.x;
        h.y = (h.ends & END_BP) ? b.p.y : b.q.y;
    }
    else
    {
        h.x = a.p.x + h.t * d.x;
        h.y = a.p.y + h.t * d.y;
    }
    return h;
}
