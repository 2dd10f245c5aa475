#include <stdint.h>

#define NAND_NO_BLOCK        0xFFFFu
#define NAND_PAGES_PER_BLOCK 64u
#define NAND_ALT_MAX         12
#define NAND_MARK_MIN_ONES   6u

struct nand_map {
    uint16_t reserve_start, nblocks;
    uint32_t bad[16];
    struct { uint16_t from, to; } alt[NAND_ALT_MAX];
    uint8_t nalt;
    uint16_t cursor;
};

/* Spare byte of a page, negative on an ECC or bus error. */
extern int nand_oob_byte(uint32_t page, unsigned col);

static int block_is_bad(const struct nand_map *m, unsigned blk)
{
    return (m->bad[(blk >> 5) & 15u] >> (blk & 31u)) & 1u;
}

static void block_set_bad(struct nand_map *m, unsigned blk)
{
    m->bad[(blk >> 5) & 15u] |= (uint32_t)1 << (blk & 31u);
}

/* First entry whose 'from' is not below blk. */
static int alt_lower_bound(const struct nand_map *m, unsigned blk)
{
    int lo = 0, hi = m->nalt;

    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (m->alt[mid].from < blk) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* The factory marks a bad block in the first or second page. One or two flipped bits are no mark. */
static int has_factory_mark(unsigned blk)
{
    for (uint32_t page = 0; page < 2; page++) {
        int v = nand_oob_byte(blk * NAND_PAGES_PER_BLOCK + page, 0);
        unsigned ones = 0;

        if (v < 0) {
            return 1;
        }
        for (unsigned bit = 0; bit < 8; bit++) {
            ones += ((unsigned)v >> bit) & 1u;
        }
        if (ones < NAND_MARK_MIN_ONES) {
            return 1;
        }
    }
    return 0;
}

uint16_t nand_remap_block(struct nand_map *m, uint16_t logical, int probe)
{
    unsigned blk = logical;
    int at, first, hops;

    if (logical >= m->reserve_start) {
        return NAND_NO_BLOCK;
    }

    first = alt_lower_bound(m, blk);
    at = first;
    for (hops = 0; at < m->nalt && m->alt[at].from == blk; hops++) {
        if (hops == NAND_ALT_MAX) {
            return NAND_NO_BLOCK;       /* entries point at each other */
        }
        blk = m->alt[at].to;
        at = alt_lower_bound(m, blk);
    }
    if (hops > 1) {
        m->alt[first].to = (uint16_t)blk;
    }

    if (probe && !block_is_bad(m, blk) && has_factory_mark(blk)) {
        block_set_bad(m, blk);
    }
    if (!block_is_bad(m, blk)) {
        return (uint16_t)blk;
    }

    if (hops == 0 && m->nalt >= NAND_ALT_MAX) {
        return NAND_NO_BLOCK;
    }
    if (m->cursor < m->reserve_start) {
        m->cursor = m->reserve_start;
    }
    while (m->cursor < m->nblocks && block_is_bad(m, m->cursor)) {
        m->cursor++;
    }
    if (m->cursor >= m->nblocks) {
        return NAND_NO_BLOCK;
    }

    if (hops == 0) {
        for (at = m->nalt; at > first; at--) {
            m->alt[at] = m->alt[at - 1];
        }
        m->alt[first].from = logical;
        m->nalt++;
    }
    m->alt[first].to = m->cursor;
    return m->cursor++;
}
