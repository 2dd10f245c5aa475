// Register image migration between chip revisions: every entry of the map picks
// scattered bits, treats them as one number and puts it where the new revision
// wants it.
#include <stdint.h>

struct bitmove {
    uint64_t mask;
    uint8_t dst;
    uint8_t op;
    uint16_t arg;
};

enum {
    MV_COPY, MV_NOT, MV_REVERSE, MV_FROM_GRAY, MV_TO_GRAY, MV_ADD, MV_PARITY, MV_SUB_SAT
};

extern uint32_t lost_moves;

// Moves the bits under mask down to bit 0 and up, keeping their order.
static uint64_t gather(uint64_t x, uint64_t mask)
{
    uint64_t gaps = ~mask << 1;         // a one wherever the bit below is not wanted

    x &= mask;
    for (unsigned step = 1; step < 64; step <<= 1) {
        uint64_t odd = gaps;            // parity of the gaps below each bit
        for (unsigned s = 1; s < 64; s <<= 1)
            odd ^= odd << s;
        uint64_t go = odd & mask;
        uint64_t moved = x & go;
        x = (x ^ moved) | (moved >> step);
        mask = (mask ^ go) | (go >> step);
        gaps &= ~odd;
    }
    return x;
}

static unsigned popcount(uint64_t x)
{
    unsigned n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

uint64_t pext_field_map(uint64_t value, const struct bitmove *mv, unsigned n, uint64_t keep)
{
    uint64_t image = 0;

    for (unsigned i = 0; i < n; i++) {
        const struct bitmove *m = &mv[i];
        unsigned width = popcount(m->mask);
        uint64_t ones, f, t;

        if (width == 0)
            continue;
        if (m->dst > 63) {
            lost_moves |= 1u << (i & 31);
            continue;
        }
        ones = ~(uint64_t)0 >> (64 - width);
        f = gather(value, m->mask);

        switch (m->op) {
        case MV_NOT:
            f ^= ones;
            break;
        case MV_REVERSE:
            t = 0;
            for (unsigned b = 0; b < width; b++)
                t = t << 1 | (f >> b & 1);
            f = t;
            break;
        case MV_FROM_GRAY:
            for (unsigned s = 1; s < 64; s <<= 1)
                f ^= f >> s;
            break;
        case MV_TO_GRAY:
            f ^= f >> 1;
            break;
        case MV_ADD:
            f = (f + m->arg) & ones;
            break;
        case MV_PARITY:
            f = popcount(f) & 1;
            width = 1;
            ones = 1;
            break;
        case MV_SUB_SAT:
            f = f > m->arg ? f - m->arg : 0;
            break;
        default:        // MV_COPY, and what a newer tool may have written
            break;
        }

        if (m->dst + width > 64)
            lost_moves |= 1u << (i & 31);
        image = (image & ~(ones << m->dst)) | (f << m->dst);
    }
    return (image & ~keep) | (value & keep);
}
