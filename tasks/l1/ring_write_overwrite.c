#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t n);

#define RING_MAX 200

/*
 * rd and wr run from 0 to 2*size-1, so a full ring (distance size) is not
 * mistaken for an empty one and no byte of the store is wasted.
 */
struct ring {
    uint8_t  size;
    uint8_t  high_water;
    uint16_t rd;
    uint16_t wr;
    uint16_t lost_records;
    uint32_t lost_bytes;
    uint8_t  store[RING_MAX];
};

enum ring_mode { RING_ALL, RING_SOME, RING_OVERWRITE, RING_RECORDS };

static unsigned advance(const struct ring *r, unsigned counter, unsigned by)
{
    counter += by;
    return counter >= 2u * r->size ? counter - 2u * r->size : counter;
}

static void store_bytes(struct ring *r, const uint8_t *src, unsigned n)
{
    unsigned at = r->wr >= r->size ? r->wr - r->size : r->wr;
    unsigned first = r->size - at;

    if (first > n)
        first = n;
    memcpy(r->store + at, src, first);
    memcpy(r->store, src + first, n - first);
    r->wr = (uint16_t)advance(r, r->wr, n);
}

size_t ring_write_overwrite(struct ring *r, const uint8_t *src, size_t n, unsigned mode)
{
    const unsigned size = r->size;

    if (size - 1u >= RING_MAX)              /* 0 or more than there is */
        return 0;

    unsigned used = r->wr >= r->rd ? (unsigned)(r->wr - r->rd) : r->wr + 2 * size - r->rd;
    unsigned room = size - used;

    switch (mode) {
    case RING_ALL:
        if (n > room) {
            r->lost_bytes += (uint32_t)n;
            return 0;
        }
        break;

    case RING_SOME:
        if (n > room) {
            r->lost_bytes += (uint32_t)(n - room);
            n = room;
        }
        break;

    case RING_OVERWRITE:
        if (n > size) {                     /* only the tail can stay */
            r->lost_bytes += (uint32_t)(n - size);
            src += n - size;
            n = size;
        }
        if (n > room) {
            unsigned drop = (unsigned)n - room;
            r->rd = (uint16_t)advance(r, r->rd, drop);
            r->lost_bytes += drop;
            used -= drop;
        }
        break;

    case RING_RECORDS:
        if (n >= size) {
            r->lost_records++;
            return 0;
        }
        while (size - used < n + 1) {
            unsigned len = 1u + r->store[r->rd >= size ? r->rd - size : r->rd];
            if (len > used)                 /* length byte damaged: start over */
                len = used;
            r->rd = (uint16_t)advance(r, r->rd, len);
            r->lost_bytes += len;
            r->lost_records++;
            used -= len;
        }
        {
            uint8_t head = (uint8_t)n;
            store_bytes(r, &head, 1);
            used++;
        }
        break;

    default:
        return 0;
    }

    store_bytes(r, src, (unsigned)n);
    used += (unsigned)n;
    if (used > r->high_water)
        r->high_water = (uint8_t)used;
    return n;
}
