#include <stdint.h>

/* Single precision add and subtract for the core without FPU. */

#define QUIET    0x00400000u
#define INF      0x7F800000u
#define DEF_NAN  0x7FC00000u
#define SIGN     0x80000000u

enum { RNE, RTZ, RUP, RDN };                 /* rmode bits 1..0 */
#define MODE_SUB 4u
#define MODE_DAZ 8u

#define F_INVALID   1u
#define F_DENORMAL  2u                       /* an input was flushed */
#define F_OVERFLOW  8u
#define F_UNDERFLOW 16u                      /* tiny result, exact or not */
#define F_INEXACT   32u

static int is_nan(uint32_t x) { return (x & ~SIGN) > INF; }

static uint32_t nan_of(uint32_t a, uint32_t b, uint32_t *flags)
{
    int sa = is_nan(a) && !(a & QUIET);
    int sb = is_nan(b) && !(b & QUIET);

    if (sa || sb) {
        *flags |= F_INVALID;
        return (sa ? a : b) | QUIET;
    }
    if (!is_nan(a)) return b;
    if (!is_nan(b)) return a;
    return (b & ~SIGN) > (a & ~SIGN) ? b : a;
}

static uint32_t shift_sticky(uint32_t m, unsigned d)
{
    if (d == 0) return m;
    if (d > 31) return m != 0;
    return (m >> d) | ((m << (32 - d)) != 0);
}

/* m has three extra bits, the implicit one at bit 26; e is the biased exponent, 1 for subnormals */
static uint32_t round_pack(uint32_t sign, int e, uint32_t m, unsigned mode, uint32_t *flags)
{
    uint32_t low = m & 7, add;

    switch (mode) {
    case RNE: add = (low > 4 || (low == 4 && (m & 8))) ? 8 : 0; break;
    case RUP: add = sign ? 0 : 7; break;
    case RDN: add = sign ? 7 : 0; break;
    default:  add = 0; break;
    }
    if (low) *flags |= F_INEXACT;
    if (m < 1u << 26) *flags |= F_UNDERFLOW;
    m = (m + add) >> 3;
    if (m >> 24) {
        m >>= 1;
        e++;
    }
    if (e > 254) {
        *flags |= F_OVERFLOW | F_INEXACT;
        if (mode == RTZ || (mode == RUP && sign) || (mode == RDN && !sign))
            return sign | (INF - 1);
        return sign | INF;
    }
    /* without the implicit bit the exponent field is 0 */
    return sign | ((((uint32_t)e - 1) << 23) + m);
}

uint32_t softfloat_add_f32(uint32_t a, uint32_t b, unsigned rmode, uint32_t *flags)
{
    unsigned mode = rmode & 3;
    uint32_t ma, mb, sign, m;
    int ea, eb;

    if (is_nan(a) || is_nan(b))
        return nan_of(a, b, flags);
    if (rmode & MODE_SUB)
        b ^= SIGN;
    if (rmode & MODE_DAZ) {
        if ((a & INF) == 0 && (a & ~SIGN)) { a &= SIGN; *flags |= F_DENORMAL; }
        if ((b & INF) == 0 && (b & ~SIGN)) { b &= SIGN; *flags |= F_DENORMAL; }
    }

    /* the larger magnitude to a */
    if ((b & ~SIGN) > (a & ~SIGN)) {
        uint32_t t = a;
        a = b;
        b = t;
    }
    if ((a & ~SIGN) == INF) {
        if ((b & ~SIGN) == INF && a != b) {
            *flags |= F_INVALID;
            return DEF_NAN;
        }
        return a;
    }

    sign = a & SIGN;
    ea = (int)(a >> 23 & 255);
    eb = (int)(b >> 23 & 255);
    ma = (a & 0x7FFFFF) << 3;
    mb = (b & 0x7FFFFF) << 3;
    if (ea) ma |= 1u << 26; else ea = 1;
    if (eb) mb |= 1u << 26; else eb = 1;
    mb = shift_sticky(mb, (unsigned)(ea - eb));

    if ((a ^ b) & SIGN) {
        m = ma - mb;
        if (m == 0)
            return mode == RDN ? SIGN : 0;
        while (m < 1u << 26 && ea > 1) {
            m <<= 1;
            ea--;
        }
    } else {
        m = ma + mb;
        if (m == 0)
            return sign;
        if (m >> 27) {
            m = (m >> 1) | (m & 1);
            ea++;
        }
    }
    return round_pack(sign, ea, m, mode, flags);
}
