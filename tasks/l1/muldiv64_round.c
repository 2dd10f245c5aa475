/*
 * a * b / c without losing bits, for converting between clocks whose rates are
 * only known as fractions. The compiler of the target has no 128-bit type.
 */
#include <stdint.h>
#include <stdbool.h>

enum muldiv_mode { MD_TRUNC, MD_FLOOR, MD_CEIL, MD_HALF_AWAY, MD_HALF_EVEN };
enum muldiv_status { MD_EXACT, MD_ROUNDED, MD_SATURATED, MD_BY_ZERO };

#define LO(x) ((x) & 0xFFFFFFFFu)
#define HI(x) ((x) >> 32)

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0u - (uint64_t)v : (uint64_t)v;
}

/* One digit of the quotient of (u2 u1 u0) by the normalised (v1 v0); *u becomes the remainder. */
static uint64_t digit(uint64_t *u, uint64_t u0, uint64_t v)
{
    const uint64_t v1 = HI(v), v0 = LO(v);
    uint64_t q = *u / v1;
    uint64_t r = *u % v1;

    while (HI(q) != 0 || q * v0 > (r << 32 | u0)) {
        q--;
        r += v1;
        if (HI(r) != 0)
            break;
    }
    *u = (*u << 32 | u0) - q * v;
    return q;
}

int64_t muldiv64_round(int64_t a, int64_t b, int64_t c, unsigned mode, int *status)
{
    const bool neg = ((a < 0) != (b < 0)) != (c < 0);
    const uint64_t ua = magnitude(a), ub = magnitude(b), uc = magnitude(c);
    uint64_t hi, lo, mid, q, rem;
    bool up;

    if (c == 0) {
        *status = MD_BY_ZERO;
        return a > 0 ? INT64_MAX : a < 0 ? INT64_MIN : 0;
    }

    /* hi:lo = ua * ub */
    mid = LO(ua) * HI(ub) + HI(LO(ua) * LO(ub));
    hi  = HI(ua) * LO(ub) + LO(mid);
    lo  = hi << 32 | LO(LO(ua) * LO(ub));
    hi  = HI(ua) * HI(ub) + HI(mid) + HI(hi);

    if (hi >= uc)
        goto saturate;

    if (HI(uc) == 0) {
        rem = hi << 32 | HI(lo);
        q   = rem / uc;
        rem = (rem % uc) << 32 | LO(lo);
        q   = q << 32 | rem / uc;
        rem = rem % uc;
    } else {
        unsigned sh = 0;
        uint64_t v = uc, u;

        while (!(v >> 63)) {
            v <<= 1;
            sh++;
        }
        u = hi;
        if (sh != 0) {
            u = hi << sh | lo >> (64 - sh);
            lo <<= sh;
        }
        q = digit(&u, HI(lo), v);
        q = q << 32 | digit(&u, LO(lo), v);
        rem = u >> sh;
    }

    switch (mode) {
    case MD_FLOOR:
        up = neg && rem != 0;
        break;
    case MD_CEIL:
        up = !neg && rem != 0;
        break;
    case MD_HALF_AWAY:
        up = rem >= uc - rem;
        break;
    case MD_HALF_EVEN:
        up = rem > uc - rem || (rem == uc - rem && (q & 1));
        break;
    default:
        up = false;
        break;
    }
    if (up && ++q == 0)
        goto saturate;
    if (q > (uint64_t)INT64_MAX + neg)
        goto saturate;

    *status = rem != 0 ? MD_ROUNDED : MD_EXACT;
    return (int64_t)(neg ? 0u - q : q);

saturate:
    *status = MD_SATURATED;
    return neg ? INT64_MIN : INT64_MAX;
}
