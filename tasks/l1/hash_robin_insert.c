#include <stdint.h>

enum { RH_BITS = 6, RH_SLOTS = 1 << RH_BITS, RH_MASK = RH_SLOTS - 1, RH_CHAIN = 12 };

struct rhslot {
    uint32_t key;
    uint16_t val;
    uint8_t  dist;      /* 0 empty, 1 at home */
};

struct rhmap {
    struct rhslot slot[RH_SLOTS];
    uint16_t sum;       /* of all dist */
    uint8_t  used;
    uint8_t  max;       /* never lowered here; a rebuild does that */
};

/* Returns the slot of key, or -1 with the map as it was. */
int hash_robin_insert(struct rhmap *m, uint32_t key, uint16_t val)
{
    struct { uint8_t at, dist; uint16_t val; uint32_t key; } log[RH_CHAIN];
    unsigned moved = 0;
    unsigned at = (key * 0x9E3779B1u) >> (32 - RH_BITS);
    unsigned top = m->max;
    uint32_t sum = m->sum;
    int mine = -1;
    uint32_t k = key;
    uint16_t v = val;
    unsigned d = 1;

    for (unsigned probe = 0; probe < RH_SLOTS; probe++) {
        struct rhslot *s = &m->slot[at];

        if (s->dist == 0) {
            s->key = k;
            s->val = v;
            s->dist = (uint8_t)d;
            m->used++;
            m->sum = (uint16_t)(sum + d);
            m->max = (uint8_t)(d > top ? d : top);
            return mine < 0 ? (int)at : mine;
        }

        if (mine < 0 && s->key == key) {
            s->val = val;
            return (int)at;
        }

        if (s->dist < d) {
            /* this one is nearer to its home than we are: it moves on */
            if (moved == RH_CHAIN)
                break;
            log[moved].at = (uint8_t)at;
            log[moved].key = s->key;
            log[moved].val = s->val;
            log[moved].dist = s->dist;
            moved++;

            s->key = k;
            s->val = v;
            s->dist = (uint8_t)d;
            if (mine < 0)
                mine = (int)at;
            if (d > top)
                top = d;
            sum = sum + d - log[moved - 1].dist;

            k = log[moved - 1].key;
            v = log[moved - 1].val;
            d = log[moved - 1].dist;
        }
        at = (at + 1) & RH_MASK;
        d++;
    }

    while (moved-- > 0) {
        struct rhslot *s = &m->slot[log[moved].at];
        s->key = log[moved].key;
        s->val = log[moved].val;
        s->dist = log[moved].dist;
    }
    return -1;
}
