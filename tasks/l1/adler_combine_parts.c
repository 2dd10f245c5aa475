#include <stdint.h>

#define ADLER_MOD   65521u
#define TWO_32_MOD  225u        /* 2^32 mod 65521 */

/* Remainder of a part length. The 64-bit divide helper of the old core only
   takes operands below 2^63, longer ones go through it in two pieces. */
static uint32_t lengthMod(uint64_t len)
{
    if (len <= (1ull << 63)) {
        return (uint32_t)(len % ADLER_MOD);
    }
    uint32_t hi = (uint32_t)(len >> 32) % ADLER_MOD;
    uint32_t lo = (uint32_t)len % ADLER_MOD;
    return (hi * TWO_32_MOD + lo) % ADLER_MOD;
}

static uint32_t subOnce(uint32_t v)
{
    return v >= ADLER_MOD ? v - ADLER_MOD : v;
}

uint32_t adler_combine_parts(const uint32_t *sums, const uint64_t *lens, unsigned parts, uint64_t *total)
{
    uint32_t a = 1;             /* sum of bytes so far */
    uint32_t b = 0;             /* sum of the sums */
    uint64_t bytes = 0;

    for (unsigned i = 0; i < parts; i++) {
        uint32_t partA = sums[i] & 0xFFFFu;
        uint32_t partB = sums[i] >> 16;

        /* Part sums come from the peer. One that is out of range
           makes all that follows worthless. */
        if (partA >= ADLER_MOD || partB >= ADLER_MOD) {
            break;
        }

        /* Every byte of the part carries the old a along instead of
           the 1 that its own sum began with. */
        uint32_t carried = a == 0 ? ADLER_MOD - 1 : a - 1;
        uint32_t weighted = (lengthMod(lens[i]) * carried) % ADLER_MOD;

        b = subOnce(b + partB);
        b = subOnce(b + weighted);
        a = subOnce(carried + partA);

        bytes += lens[i];
        if (bytes < lens[i]) {
            bytes = UINT64_MAX;
        }
    }

    *total = bytes;
    return b << 16 | a;
}
