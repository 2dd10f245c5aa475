#include <stdint.h>
#include <stdbool.h>

/* Succinct index of the map tiles: k-th set (or clear) bit. A directory entry
   covers four words and counts the ones before them. */

extern uint8_t tail_bits;           // valid bits of the last word, 0: all

#define WORDS_PER_ENTRY 4u
#define BITS_PER_ENTRY  256u

static uint64_t byteSums(uint64_t w)
{
    w -= (w >> 1) & 0x5555555555555555u;
    w = (w & 0x3333333333333333u) + ((w >> 2) & 0x3333333333333333u);
    return (w + (w >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
}

static unsigned onesOf(uint64_t w)
{
    return (unsigned)(byteSums(w) * 0x0101010101010101u >> 56);
}

static unsigned selectInWord(uint64_t w, unsigned k)
{
    uint64_t upTo = byteSums(w) * 0x0101010101010101u;   // byte i: ones in bytes 0..i
    unsigned shift = 0;

    while (k >= (upTo >> shift & 0xFF))
        shift += 8;
    if (shift)
        k -= (unsigned)(upTo >> (shift - 8) & 0xFF);
    w >>= shift;
    while (k--)
        w &= w - 1;
    for (; !(w & 1); w >>= 1)
        shift++;
    return shift;
}

static int32_t before(const uint16_t *dir, unsigned entry, bool zeros)
{
    int32_t ones = dir[entry];
    return zeros ? (int32_t)(entry * BITS_PER_ENTRY) - ones : ones;
}

int32_t bitmap_select_rank(const uint64_t *words, const uint16_t *rank_dir, unsigned nwords, uint32_t k, unsigned want_zero)
{
    const bool zeros = want_zero != 0;
    unsigned lo, hi;
    int32_t rest;

    if (nwords == 0 || k > INT32_MAX)
        return -1;

    // last entry that has at most k hits before it
    lo = 0;
    hi = (nwords + WORDS_PER_ENTRY - 1) / WORDS_PER_ENTRY;
    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        if (before(rank_dir, mid, zeros) <= (int32_t)k)
            lo = mid;
        else
            hi = mid;
    }

    rest = before(rank_dir, lo, zeros);
    if (rest < 0 || rest > (int32_t)k)
        return -2;
    rest = (int32_t)k - rest;

    for (unsigned i = lo * WORDS_PER_ENTRY; i < (lo + 1) * WORDS_PER_ENTRY; i++) {
        uint64_t w;
        unsigned hits;

        if (i == nwords)
            return -1;
        w = zeros ? ~words[i] : words[i];
        if (i == nwords - 1 && (tail_bits & 63))
            w &= ((uint64_t)1 << (tail_bits & 63)) - 1;
        hits = onesOf(w);
        if ((uint32_t)rest < hits)
            return (int32_t)(i * 64 + selectInWord(w, (unsigned)rest));
        rest -= (int32_t)hits;
    }

    // the next entry promised that it would be here
    return (lo + 1) * WORDS_PER_ENTRY < nwords ? -2 : -1;
}
