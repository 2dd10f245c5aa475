/* Guaranteed bounds for the tolerance analysis: every finite bound is moved outwards
   by one unit in the last place, so that no rounding mode needs to be set. */

#include <stdint.h>
#include <stdbool.h>
#include <float.h>

struct ival { double lo, hi; };

enum { IV_PLAIN, IV_HALF_LINE, IV_WHOLE_LINE, IV_DIV_ZERO, IV_EMPTY_IN };
enum sign_class { NEGATIVE, MIXED, POSITIVE };

#define INFINITE ((double)__builtin_inff())

typedef union { double d; uint64_t u; } bits64;

/* a bound and whether it is a true zero, which needs no widening */
struct bound { double v; bool exact; };

static struct ival empty(void)
{
    return (struct ival){ 1.0, -1.0 };
}

static struct ival line(void)
{
    return (struct ival){ -INFINITE, INFINITE };
}

static enum sign_class classify(struct ival x)
{
    if (x.lo >= 0.0) return POSITIVE;
    if (x.hi <= 0.0) return NEGATIVE;
    return MIXED;
}

static double above(double x)
{
    bits64 b = { .d = x };

    if (x > DBL_MAX || x < -DBL_MAX)
        return x;
    if (x == 0.0)
        b.u = 1;
    else if (b.u >> 63)
        b.u--;
    else
        b.u++;
    return b.d;
}

static double up(struct bound b)   { return b.exact ? b.v : above(b.v); }
static double down(struct bound b) { return b.exact ? b.v : -above(-b.v); }

static struct bound times(double x, double y)
{
    if (x == 0.0 || y == 0.0)               /* 0 * inf = 0 here */
        return (struct bound){ 0.0, true };
    return (struct bound){ x * y, false };
}

static struct bound over(double x, double y)    /* y > 0 */
{
    if (x == 0.0)
        return (struct bound){ 0.0, true };
    if ((x > DBL_MAX || x < -DBL_MAX) && y > DBL_MAX)
        return (struct bound){ 0.0, true }; /* worst case of the limit */
    return (struct bound){ x / y, false };
}

static struct bound smaller(struct bound x, struct bound y) { return y.v < x.v ? y : x; }
static struct bound larger(struct bound x, struct bound y)  { return y.v > x.v ? y : x; }

static struct ival quotient(struct ival a, struct ival b, unsigned *kind)
{
    enum sign_class ca = classify(a);

    if (b.lo == 0.0 && b.hi == 0.0) {
        *kind = IV_DIV_ZERO;
        return empty();
    }
    if (b.lo < 0.0 && b.hi > 0.0) {
        *kind = IV_WHOLE_LINE;
        return line();
    }
    if (b.hi <= 0.0) {                      /* turn both round: only positive divisors below */
        struct ival t = a;
        a.lo = -t.hi;
        a.hi = -t.lo;
        t = b;
        b.lo = -t.hi;
        b.hi = -t.lo;
        ca = (enum sign_class)(POSITIVE - ca);
    }
    if (b.lo == 0.0) {
        if (a.lo > 0.0) {
            *kind = IV_HALF_LINE;
            return (struct ival){ down(over(a.lo, b.hi)), INFINITE };
        }
        if (a.hi < 0.0) {
            *kind = IV_HALF_LINE;
            return (struct ival){ -INFINITE, up(over(a.hi, b.hi)) };
        }
        *kind = IV_WHOLE_LINE;
        return line();
    }
    return (struct ival){
        down(over(a.lo, ca == POSITIVE ? b.hi : b.lo)),
        up(over(a.hi, ca == NEGATIVE ? b.hi : b.lo)),
    };
}

struct ival interval_mul_div(struct ival a, struct ival b, unsigned divide, unsigned *kind)
{
    struct bound lo, hi;

    if (!(a.lo <= a.hi) || !(b.lo <= b.hi)) {
        *kind = IV_EMPTY_IN;
        return empty();
    }
    *kind = IV_PLAIN;
    if (divide)
        return quotient(a, b, kind);

    switch (classify(a) * 3 + classify(b)) {
    case POSITIVE * 3 + POSITIVE: lo = times(a.lo, b.lo); hi = times(a.hi, b.hi); break;
    case POSITIVE * 3 + MIXED:    lo = times(a.hi, b.lo); hi = times(a.hi, b.hi); break;
    case POSITIVE * 3 + NEGATIVE: lo = times(a.hi, b.lo); hi = times(a.lo, b.hi); break;
    case MIXED * 3 + POSITIVE:    lo = times(a.lo, b.hi); hi = times(a.hi, b.hi); break;
    case MIXED * 3 + NEGATIVE:    lo = times(a.hi, b.lo); hi = times(a.lo, b.lo); break;
    case NEGATIVE * 3 + POSITIVE: lo = times(a.lo, b.hi); hi = times(a.hi, b.lo); break;
    case NEGATIVE * 3 + MIXED:    lo = times(a.lo, b.hi); hi = times(a.lo, b.lo); break;
    case NEGATIVE * 3 + NEGATIVE: lo = times(a.hi, b.hi); hi = times(a.lo, b.lo); break;
    default:
        lo = smaller(times(a.lo, b.hi), times(a.hi, b.lo));
        hi = larger(times(a.lo, b.lo), times(a.hi, b.hi));
        break;
    }
    return (struct ival){ down(lo), up(hi) };
}
