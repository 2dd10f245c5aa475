#include <stdint.h>

/* (high, low) of a 64 by 64 product; the target's compiler has no __int128 */
static uint64_t mulWide(uint64_t a, uint64_t b, uint64_t *low)
{
    const uint64_t a0 = (uint32_t)a, a1 = a >> 32;
    const uint64_t b0 = (uint32_t)b, b1 = b >> 32;
    const uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
    const uint64_t mid = (p00 >> 32) + (uint32_t)p01 + (uint32_t)p10;

    *low = mid << 32 | (uint32_t)p00;
    return a1 * b1 + (p01 >> 32) + (p10 >> 32) + (mid >> 32);
}

/* a * b / 2^64 modulo m; inv * m == 1 modulo 2^64 */
static uint64_t montMul(uint64_t a, uint64_t b, uint64_t m, uint64_t inv)
{
    uint64_t lo, unused;
    const uint64_t hi = mulWide(a, b, &lo);
    const uint64_t sub = mulWide(lo * inv, m, &unused);

    return hi < sub ? hi - sub + m : hi - sub;
}

static uint64_t doubled(uint64_t x, uint64_t m)
{
    x <<= 1;
    return x >= m ? x - m : x;
}

static uint64_t slowMul(uint64_t a, uint64_t b, uint64_t m)
{
    uint64_t r = 0;

    for (; b != 0; b >>= 1) {
        if (b & 1) {
            r += a;
            if (r >= m)
                r -= m;
        }
        a = doubled(a, m);
    }
    return r;
}

uint64_t modpow_montgomery64(uint64_t base, uint64_t exp, uint64_t mod, unsigned *steps)
{
    uint64_t pow[8];
    uint64_t one, inv, r;
    unsigned count = 0;
    int i, pos;

    *steps = 0;
    if (mod <= 1)
        return 0;
    if (mod >> 63)
        return UINT64_MAX;

    base %= mod;

    if ((mod & 1) == 0) {
        /* rare, never a key: schoolbook */
        if (exp >> 16)
            return UINT64_MAX;
        r = 1;
        for (i = 15; i >= 0; i--) {
            if (r != 1) {
                r = slowMul(r, r, mod);
                count++;
            }
            if (exp >> i & 1) {
                r = slowMul(r, base, mod);
                count++;
            }
        }
        *steps = count;
        return r;
    }

    inv = mod;                  /* right in 3 bits, each step doubles them */
    for (i = 0; i < 5; i++)
        inv *= 2 - mod * inv;

    one = 1;
    for (i = 0; i < 64; i++) {
        one = doubled(one, mod);
        base = doubled(base, mod);
    }

    pow[0] = one;
    pow[1] = base;
    for (i = 2; i < 8; i++) {
        pow[i] = montMul(pow[i - 1], base, mod, inv);
        count++;
    }

    pos = 63;
    while (pos > 0 && (exp >> pos & 7) == 0)
        pos -= 3;

    r = pow[exp >> pos & 7];
    while ((pos -= 3) >= 0) {
        const unsigned digit = exp >> pos & 7;

        for (i = 0; i < 3; i++)
            r = montMul(r, r, mod, inv);
        count += 3;
        if (digit) {
            r = montMul(r, pow[digit], mod, inv);
            count++;
        }
    }

    r = montMul(r, 1, mod, inv);
    *steps = count + 1;
    return r;
}
