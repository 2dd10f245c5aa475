#include <stdint.h>

#define FL_COUNT     24u
#define SL_LOG2      3u
#define SL_COUNT     (1u << SL_LOG2)
#define MIN_SIZE     16u
#define MIN_SIZE_LOG 4u
#define GRANULE      8u
#define BLOCKS       32
#define END_OF_LIST  0xFFFFu
#define EXACT_TRIES  4

struct tlsf {
    uint32_t fl;
    uint8_t  sl[FL_COUNT];
    int16_t  head[FL_COUNT][SL_COUNT];
    uint16_t blk_next[BLOCKS];
    uint32_t blk_size[BLOCKS];
};

struct tlsf_class { unsigned f, s; };

static unsigned top_bit(uint32_t v)
{
    unsigned n = 0;
    if (v & 0xFFFF0000u) { n += 16; v >>= 16; }
    if (v & 0xFF00u)     { n += 8;  v >>= 8; }
    if (v & 0xF0u)       { n += 4;  v >>= 4; }
    if (v & 0xCu)        { n += 2;  v >>= 2; }
    return n + (v >> 1);
}

static unsigned low_bit(uint32_t v) { return top_bit(v & (0u - v)); }

static struct tlsf_class class_of(uint32_t size)
{
    unsigned top = top_bit(size);
    struct tlsf_class c = { top - MIN_SIZE_LOG, (size >> (top - SL_LOG2)) & (SL_COUNT - 1u) };
    return c;
}

/* An empty list takes its bits with it. */
static void set_head(struct tlsf *t, struct tlsf_class c, uint16_t next)
{
    if (next != END_OF_LIST) {
        t->head[c.f][c.s] = (int16_t)next;
        return;
    }
    t->head[c.f][c.s] = -1;
    t->sl[c.f] &= (uint8_t)~(1u << c.s);
    if (t->sl[c.f] == 0)
        t->fl &= ~(1u << c.f);
}

int tlsf_find_block(struct tlsf *t, uint32_t size, uint32_t align, uint32_t *rounded)
{
    uint32_t want, step, lists;
    struct tlsf_class c;
    int b, prev;

    if (size > 1u << 27)                    /* keeps the class below FL_COUNT */
        return -1;
    want = size < MIN_SIZE ? MIN_SIZE : (size + GRANULE - 1u) & ~(GRANULE - 1u);
    if (align > GRANULE)
        want += align - GRANULE;            /* room to move the payload up */

    step = 1u << (top_bit(want) - SL_LOG2);
    *rounded = (want + step - 1u) & ~(step - 1u);
    c = class_of(*rounded);

    lists = t->sl[c.f] & (0xFFu << c.s);
    if (!lists) {
        uint32_t above = t->fl & (0xFFFFFEu << c.f) & 0xFFFFFFu;
        if (above) {
            c.f = low_bit(above);
            lists = t->sl[c.f];
        }
    }
    if (lists) {
        c.s = low_bit(lists);
        b = t->head[c.f][c.s];
        if (b < 0 || b >= BLOCKS)
            return -1;                      /* bitmap lies */
        set_head(t, c, t->blk_next[b]);
        return b;
    }

    /* Nothing that fits for certain, but the class of the size itself may hold a block large enough. */
    c = class_of(want);
    prev = -1;
    b = t->head[c.f][c.s];
    for (int tries = 0; tries < EXACT_TRIES && b >= 0 && b < BLOCKS; tries++) {
        if (t->blk_size[b] >= want) {
            if (prev < 0)
                set_head(t, c, t->blk_next[b]);
            else
                t->blk_next[prev] = t->blk_next[b];
            return b;
        }
        prev = b;
        b = t->blk_next[b];
    }
    return -1;
}
