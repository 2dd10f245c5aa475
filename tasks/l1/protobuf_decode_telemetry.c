#include <stdint.h>
#include <stdbool.h>

enum drive_mode { MODE_PARK = 0, MODE_ECO = 1, MODE_NORMAL = 2, MODE_BOOST = 3 };

#define HAS_ID     0x01u
#define HAS_LEVEL  0x02u
#define HAS_LIST   0x04u
#define HAS_TIME   0x08u
#define HAS_GAIN   0x10u
#define HAS_POS    0x20u
#define HAS_NAME   0x40u
#define HAS_MODE   0x80u

#define LIST_MAX   8u
#define NAME_MAX   15u

struct telem {
    uint32_t        id;
    int64_t         level;
    int32_t         list[LIST_MAX];
    uint64_t        time;
    union {
        uint32_t    bits;
        uint8_t     raw[4];
    }               gain;
    struct {
        int32_t     lat, lon;
        uint8_t     seen;               /* bit 0 lat, bit 1 lon */
    }               pos;
    enum drive_mode mode;
    uint64_t        odd_mode;           /* last value of a newer sender */
    uint8_t         name[NAME_MAX + 1];
    uint8_t         nlist;
    uint8_t         dropped;
    uint8_t         present;
};

struct cursor {
    const uint8_t *p;
    unsigned       at;
    unsigned       end;
};

static bool __attribute__((noinline)) take_varint(struct cursor *c, uint64_t *v)
{
    uint64_t acc = 0;

    for (unsigned shift = 0;; shift += 7) {
        if (c->at >= c->end)
            return false;
        uint8_t b = c->p[c->at];
        if (shift == 63 && b > 1)
            return false;
        c->at++;
        acc |= (uint64_t)(b & 0x7F) << shift;
        if (b < 0x80) {
            *v = acc;
            return true;
        }
    }
}

static bool take_fixed(struct cursor *c, unsigned bytes, uint64_t *v)
{
    if (c->end - c->at < bytes)
        return false;
    *v = 0;
    for (unsigned k = 0; k < bytes; k++)
        *v |= (uint64_t)c->p[c->at + k] << (8 * k);
    c->at += bytes;
    return true;
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static void append(struct telem *t, uint64_t v)
{
    if (t->nlist < LIST_MAX)
        t->list[t->nlist++] = (int32_t)(uint32_t)unzigzag(v & 0xFFFFFFFFu);
    else
        t->dropped++;
    t->present |= HAS_LIST;
}

/* Body of field 6; what is missing there keeps its earlier value. */
static bool take_position(struct cursor *c, struct telem *t)
{
    while (c->at < c->end) {
        uint64_t key, v;

        if (!take_varint(c, &key))
            return false;
        if ((key & 7) != 5)
            return false;
        if (!take_fixed(c, 4, &v))
            return false;
        if (key >> 3 == 1) {
            t->pos.lat = (int32_t)(uint32_t)v;
            t->pos.seen |= 1;
        } else if (key >> 3 == 2) {
            t->pos.lon = (int32_t)(uint32_t)v;
            t->pos.seen |= 2;
        }
    }
    return true;
}

int protobuf_decode_telemetry(const uint8_t *p, unsigned n, struct telem *t)
{
    struct cursor c = { p, 0, n };

    t->present = 0;
    t->nlist = 0;
    t->dropped = 0;
    t->pos.seen = 0;

    while (c.at < c.end) {
        uint64_t key, v = 0;
        struct cursor body = { p, 0, 0 };

        if (!take_varint(&c, &key))
            return -(int)c.at - 1;
        if (key >> 3 == 0 || key > 0xFFFFFFFFu)
            return -(int)c.at - 1;

        switch (key & 7) {
        case 0:
            if (!take_varint(&c, &v))
                return -(int)c.at - 1;
            break;
        case 1:
            if (!take_fixed(&c, 8, &v))
                return -(int)c.at - 1;
            break;
        case 2:
            if (!take_varint(&c, &v) || v > c.end - c.at)
                return -(int)c.at - 1;
            body.at = c.at;
            body.end = c.at + (unsigned)v;
            c.at = body.end;
            break;
        case 5:
            if (!take_fixed(&c, 4, &v))
                return -(int)c.at - 1;
            break;
        default:        /* groups, and two codes never given out */
            return -(int)c.at - 1;
        }

        /* a known number with a foreign wire type counts as unknown */
        switch (key) {
        case 1 << 3 | 0:
            t->id = (uint32_t)v;
            t->present |= HAS_ID;
            break;
        case 2 << 3 | 0:
            t->level = unzigzag(v);
            t->present |= HAS_LEVEL;
            break;
        case 3 << 3 | 0:
            append(t, v);
            break;
        case 3 << 3 | 2:
            while (body.at < body.end) {
                if (!take_varint(&body, &v))
                    return -(int)body.at - 1;
                append(t, v);
            }
            break;
        case 4 << 3 | 1:
            t->time = v;
            t->present |= HAS_TIME;
            break;
        case 5 << 3 | 5:
            t->gain.bits = (uint32_t)v;
            t->present |= HAS_GAIN;
            break;
        case 6 << 3 | 2:
            if (!take_position(&body, t))
                return -(int)body.at - 1;
            t->present |= HAS_POS;
            break;
        case 7 << 3 | 2: {
            unsigned len = 0;

            for (; len < NAME_MAX && body.at < body.end; len++)
                t->name[len] = p[body.at++];
            t->name[len] = 0;
            t->present |= HAS_NAME;
            break;
        }
        case 8 << 3 | 0:
            if (v <= MODE_BOOST) {
                t->mode = (enum drive_mode)v;
                t->present |= HAS_MODE;
            } else {
                t->odd_mode = v;
            }
            break;
        default:
            break;
        }
    }
    return 0;
}
