/*
 * 125 kHz reader: Manchester at 64 cycles a bit, 64-bit read-only tags.
 *
 * The capture unit hands over the width of each pulse in ticks with the level
 * in bit 15. Two half bits of equal level run together into one long pulse.
 */
#include <stdint.h>

#define LEVEL           0x8000u
#define HALF_MIN        20
#define HALF_MAX        2000
#define PREAMBLE        9u
#define FRAME_BITS      55u     /* ten rows of 4+1, four columns, stop */

enum pulse { PULSE_SHORT, PULSE_LONG, PULSE_BAD };

struct manch {
    uint64_t frame;             /* bits behind the preamble */
    uint64_t last_id;
    uint16_t half;              /* estimate of half a bit, ticks */
    uint32_t mid     : 1;       /* last edge was in the middle of a bit */
    uint32_t invert  : 1;       /* antenna connected the other way round */
    uint32_t in_frame: 1;
    uint32_t slipped : 1;       /* one phase error forgiven */
    uint32_t have_id : 1;
    uint32_t ones    : 4;
    uint32_t nbits   : 6;
    uint32_t errors  : 16;
};

extern void rfid_tag_cb(uint64_t id, unsigned bits);

static enum pulse classify(struct manch *m, unsigned width)
{
    int half = m->half, err;
    enum pulse kind;

    if (width * 2u < m->half || width * 2u >= m->half * 5u)
        return PULSE_BAD;
    if (width * 2u < m->half * 3u) {
        kind = PULSE_SHORT;
        err = (int)width - half;
    } else {
        kind = PULSE_LONG;
        err = (int)(width / 2u) - half;
    }
    half += err / 8;
    if (half < HALF_MIN)
        half = HALF_MIN;
    if (half > HALF_MAX)
        half = HALF_MAX;
    m->half = (uint16_t)half;
    return kind;
}

static void drop_sync(struct manch *m)
{
    m->ones = 0;
    m->in_frame = 0;
    m->slipped = 0;
    m->mid = 0;
    m->errors++;
}

/* The data bits of a frame whose parities hold, else -1. */
static int64_t check_frame(uint64_t frame)
{
    unsigned columns = 0;
    int64_t id = 0;

    for (int row = 9; row >= 0; row--) {
        unsigned five = (unsigned)(frame >> (5 * row + 5)) & 31u;
        unsigned nib = five >> 1;

        if ((0x6996u >> nib & 1u) != (five & 1u))
            return -1;
        columns ^= nib;
        id = (id << 4) | nib;
    }
    if (columns != ((unsigned)(frame >> 1) & 15u) || (frame & 1u))
        return -1;
    return id;
}

int manchester_edges_decode(struct manch *m, const uint16_t *widths, unsigned n)
{
    int reported = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned bit = (widths[i] >> 15) ^ m->invert;

        switch (classify(m, widths[i] & ~LEVEL & 0xFFFFu)) {
        case PULSE_SHORT:
            m->mid = !m->mid;
            if (!m->mid)
                continue;
            break;
        case PULSE_LONG:
            if (!m->mid) {
                if (m->slipped) {
                    drop_sync(m);
                    continue;
                }
                m->slipped = 1;
                m->mid = 1;
            }
            break;
        default:
            drop_sync(m);
            continue;
        }

        if (!m->in_frame) {
            m->ones = bit ? m->ones + 1u : 0u;
            if (m->ones == PREAMBLE) {
                m->in_frame = 1;
                m->nbits = 0;
                m->frame = 0;
            }
            continue;
        }

        m->frame = m->frame << 1 | bit;
        if (++m->nbits < FRAME_BITS)
            continue;

        int64_t id = check_frame(m->frame);
        m->in_frame = 0;
        m->ones = 0;
        m->slipped = 0;
        if (id < 0) {
            m->errors++;
            m->have_id = 0;
        } else if (m->have_id && (uint64_t)id == m->last_id) {
            rfid_tag_cb((uint64_t)id, 40);
            reported++;
            m->have_id = 0;
        } else {
            m->last_id = (uint64_t)id;
            m->have_id = 1;
        }
    }
    return reported;
}
