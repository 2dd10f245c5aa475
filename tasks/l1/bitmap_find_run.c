#include <stdint.h>
#include <stdbool.h>

/*
 * Page allocator of the DMA pool. One bit a page, set when taken.
 *
 * First fit from the hint, but for a short stretch behind it we go on looking
 * for a hole of exactly the right size, which keeps the big ones whole.
 */

#define FIT_STRETCH 64

/* multiples of 1, 2, 4, 8, 16, 32 within a word */
static const uint32_t aligned_starts[6] = {
    0xFFFFFFFF, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 0x00000001
};

/* Pages behind the end are taken. */
static uint32_t word_at(const uint32_t *map, unsigned nbits, unsigned pos)
{
    uint32_t w = map[pos / 32];

    if (nbits - pos / 32 * 32 < 32)
        w |= ~0u << nbits % 32;
    return w;
}

static bool taken(const uint32_t *map, unsigned nbits, unsigned pos)
{
    return pos >= nbits || (map[pos / 32] >> pos % 32 & 1);
}

/* free pages from pos on, at most len */
static unsigned hole(const uint32_t *map, unsigned nbits, unsigned pos, unsigned len)
{
    unsigned n = 0;

    while (n < len) {
        uint32_t used = word_at(map, nbits, pos + n) >> (pos + n) % 32;
        if (used) {
            n += (unsigned)__builtin_ctz(used);
            break;
        }
        n += 32 - (pos + n) % 32;
    }
    return n < len ? n : len;
}

static int scan(const uint32_t *map, unsigned nbits, unsigned from, unsigned to, unsigned fit_end, unsigned len, unsigned align)
{
    const unsigned step = 1u << align;
    unsigned pos = (from + step - 1) & ~(step - 1);
    int first = -1;

    while (pos < to && pos + len <= nbits) {
        const unsigned base = pos & ~31u;
        const uint32_t used = word_at(map, nbits, pos);

        if (first >= 0 && pos >= fit_end)
            break;
        if (used == ~0u) {
            pos = base + 32;
            continue;
        }
        if (pos % 32 + len <= 32) {
            uint32_t starts = ~used;
            for (unsigned have = 1; have < len; ) {
                unsigned s = len - have < have ? len - have : have;
                starts &= starts >> s;
                have += s;
            }
            starts &= aligned_starts[align] & ~0u << pos % 32;
            if (starts == 0) {
                pos = (base + 33 - len + step - 1) & ~(step - 1);
                continue;
            }
            pos = base + (unsigned)__builtin_ctz(starts);
        } else {
            unsigned n = hole(map, nbits, pos, len);
            if (n < len) {
                pos = (pos + n + step) & ~(step - 1);
                continue;
            }
        }

        if (pos < fit_end && (pos == 0 || taken(map, nbits, pos - 1)) && taken(map, nbits, pos + len))
            return (int)pos;
        if (first < 0)
            first = (int)pos;
        pos += step;
    }
    return first;
}

int bitmap_find_run(uint32_t *map, unsigned nbits, unsigned len, unsigned hint, unsigned align_log2)
{
    unsigned align = align_log2 < 5 ? align_log2 : 5;
    int at;

    if (len == 0 || len > nbits)
        return -1;
    if (hint >= nbits)
        hint = 0;

    at = scan(map, nbits, hint, nbits, hint + FIT_STRETCH, len, align);
    if (at < 0 && hint > 0)
        at = scan(map, nbits, 0, hint, 0, len, align);
    if (at < 0)
        return -1;

    for (unsigned p = (unsigned)at; p < (unsigned)at + len; ) {
        unsigned n = 32 - p % 32;
        if (n > (unsigned)at + len - p)
            n = (unsigned)at + len - p;
        map[p / 32] |= (~0u >> (32 - n)) << p % 32;
        p += n;
    }
    return at;
}
