#include <stdint.h>
#include <stdbool.h>

/* Products for the 512-bit key exchange. Little-endian limbs, at most 16 each. */

/* The boot ROM has 2 KB for this: keep the inner loops out of line. */

#define OUTLINE __attribute__((noinline))

typedef uint32_t limb;
typedef uint64_t dlimb;

#define KARATSUBA_MIN 8

static OUTLINE unsigned significant(const limb *x, unsigned n) {
    while (n > 0 && x[n - 1] == 0)
        n--;
    return n;
}

static OUTLINE void school(limb *r, const limb *a, unsigned na, const limb *b, unsigned nb) {
    for (unsigned i = 0; i < na + nb; i++)
        r[i] = 0;
    for (unsigned i = 0; i < na; i++) {
        dlimb carry = 0;
        for (unsigned j = 0; j < nb; j++) {
            carry += (dlimb)a[i] * b[j] + r[i + j];
            r[i + j] = (limb)carry;
            carry >>= 32;
        }
        r[i + nb] = (limb)carry;
    }
}

/* every cross product once, doubled, then the squares on the diagonal */
static void square(limb *r, const limb *a, unsigned n) {
    dlimb carry;
    limb top = 0;

    for (unsigned i = 0; i < 2 * n; i++)
        r[i] = 0;
    for (unsigned i = 0; i + 1 < n; i++) {
        carry = 0;
        for (unsigned j = i + 1; j < n; j++) {
            carry += (dlimb)a[i] * a[j] + r[i + j];
            r[i + j] = (limb)carry;
            carry >>= 32;
        }
        r[i + n] = (limb)carry;
    }
    for (unsigned i = 0; i < 2 * n; i++) {
        limb next = r[i] >> 31;
        r[i] = r[i] << 1 | top;
        top = next;
    }
    carry = 0;
    for (unsigned i = 0; i < n; i++) {
        dlimb sq = (dlimb)a[i] * a[i];
        carry += (dlimb)r[2 * i] + (limb)sq;
        r[2 * i] = (limb)carry;
        carry = (carry >> 32) + r[2 * i + 1] + (sq >> 32);
        r[2 * i + 1] = (limb)carry;
        carry >>= 32;
    }
}

/* log2 of x if it is a power of two, else -1; x[n-1] is not 0 */
static OUTLINE int single_bit(const limb *x, unsigned n) {
    limb top = x[n - 1];

    if (top & (top - 1))
        return -1;
    for (unsigned i = 0; i + 1 < n; i++)
        if (x[i] != 0)
            return -1;
    int log = (int)(n - 1) * 32;
    while (top >>= 1)
        log++;
    return log;
}

static OUTLINE void shifted(limb *r, const limb *a, unsigned na, unsigned nr, unsigned by) {
    unsigned limbs = by / 32, bits = by % 32;
    limb under = 0;

    for (unsigned i = 0; i < nr; i++) {
        limb w = i >= limbs && i - limbs < na ? a[i - limbs] : 0;
        r[i] = bits ? w << bits | under >> (32 - bits) : w;
        under = w;
    }
}

static OUTLINE bool abs_diff(limb *d, const limb *x, const limb *y, unsigned n) {
    unsigned k = n;
    dlimb borrow = 0;

    while (k > 0 && x[k - 1] == y[k - 1])
        k--;
    bool neg = k > 0 && x[k - 1] < y[k - 1];
    for (unsigned i = 0; i < n; i++) {
        dlimb t = (neg ? (dlimb)y[i] - x[i] : (dlimb)x[i] - y[i]) - borrow;
        d[i] = (limb)t;
        borrow = t >> 63;
    }
    return neg;
}

static void karatsuba(limb *r, const limb *a, const limb *b, unsigned n, limb *tmp) {
    unsigned h = n / 2;
    limb *mid = tmp, *p = tmp + 17;
    dlimb carry = 0;

    bool minus = abs_diff(tmp, a + h, a, h) == abs_diff(tmp + 8, b + h, b, h);
    school(p, tmp, h, tmp + 8, h);
    school(r, a, h, b, h);
    school(r + n, a + h, h, b + h, h);

    /* mid = low + high -/+ p; never negative */
    if (minus) {
        dlimb borrow = 0;
        for (unsigned i = 0; i < n; i++) {
            dlimb t = (dlimb)r[i] + r[n + i] + carry;
            dlimb s = (dlimb)(limb)t - p[i] - borrow;
            carry = t >> 32;
            mid[i] = (limb)s;
            borrow = s >> 63;
        }
        carry -= borrow;
    } else {
        for (unsigned i = 0; i < n; i++) {
            carry += (dlimb)r[i] + r[n + i] + p[i];
            mid[i] = (limb)carry;
            carry >>= 32;
        }
    }
    mid[n] = (limb)carry;

    carry = 0;
    for (unsigned i = 0; i <= n; i++) {
        carry += (dlimb)r[h + i] + mid[i];
        r[h + i] = (limb)carry;
        carry >>= 32;
    }
    for (unsigned i = h + n + 1; carry != 0; i++) {
        carry += r[i];
        r[i] = (limb)carry;
        carry >>= 32;
    }
}

unsigned bignum_mul_karat(uint32_t *r, const uint32_t *a, unsigned na, const uint32_t *b, unsigned nb, uint32_t *tmp) {
    const unsigned nr = na + nb;
    int log;

    na = significant(a, na);
    nb = significant(b, nb);
    for (unsigned i = na + nb; i < nr; i++)
        r[i] = 0;
    if (na == 0 || nb == 0) {
        for (unsigned i = 0; i < na + nb; i++)
            r[i] = 0;
        return 0;
    }

    if ((log = single_bit(b, nb)) >= 0)
        shifted(r, a, na, na + nb, (unsigned)log);
    else if ((log = single_bit(a, na)) >= 0)
        shifted(r, b, nb, na + nb, (unsigned)log);
    else if (a == b && na == nb)
        square(r, a, na);
    else if (nb == 1)
        school(r, b, 1, a, na);
    else if (na == nb && na % 2 == 0 && na >= KARATSUBA_MIN)
        karatsuba(r, a, b, na, tmp);
    else
        school(r, a, na, b, nb);

    return significant(r, na + nb);
}
