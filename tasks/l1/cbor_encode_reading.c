/* Uplink of the weather mast: readings to CBOR (RFC 8949), integer keys. */
#include <stdint.h>
#include <stddef.h>

extern void *memcpy(void *dst, const void *src, size_t n);

typedef enum {
    VAL_INT, VAL_COUNTER, VAL_REAL, VAL_TEXT, VAL_BYTES, VAL_NULL
} val_kind;

struct reading {
    uint32_t id;
    uint32_t time;
    uint8_t  kind;          /* val_kind */
    union {
        int32_t  num;
        uint64_t counter;
        float    real;
        struct {
            uint8_t len;
            uint8_t data[12];
        } str;
    } u;
};

enum { KEY_ID = 0, KEY_VALUE = 1, KEY_TIME = 2 };
enum { MT_UINT = 0x00, MT_NINT = 0x20, MT_BYTES = 0x40, MT_TEXT = 0x60, MT_ARRAY = 0x80, MT_MAP = 0xA0, MT_TAG = 0xC0 };

static __attribute__((noinline)) uint8_t *putHead(uint8_t *w, unsigned major, uint64_t arg)
{
    unsigned bytes;

    if (arg < 24) {
        *w++ = (uint8_t)(major | arg);
        return w;
    }
    if (arg <= 0xFF) {
        *w++ = (uint8_t)(major | 24);
        bytes = 1;
    } else if (arg <= 0xFFFF) {
        *w++ = (uint8_t)(major | 25);
        bytes = 2;
    } else if (arg <= 0xFFFFFFFF) {
        *w++ = (uint8_t)(major | 26);
        bytes = 4;
    } else {
        *w++ = (uint8_t)(major | 27);
        bytes = 8;
    }
    while (bytes--)
        *w++ = (uint8_t)(arg >> (8 * bytes));
    return w;
}

static uint8_t *putInt(uint8_t *w, int64_t v)
{
    return v < 0 ? putHead(w, MT_NINT, (uint64_t)(-1 - v)) : putHead(w, MT_UINT, (uint64_t)v);
}

static uint8_t *putFloat(uint8_t *w, float f)
{
    union { float f; uint32_t u; } pun = { f };
    uint32_t sign = (pun.u >> 16) & 0x8000;
    int32_t  exp  = (int32_t)((pun.u >> 23) & 0xFF) - 127;
    uint32_t man  = pun.u & 0x7FFFFF;
    uint32_t half;

    if (exp == 128)
        half = man ? 0x7E00 : sign | 0x7C00;
    else if (exp == -127 && man == 0)
        half = sign;
    else if (exp >= -14 && exp <= 15 && (man & 0x1FFF) == 0)
        half = sign | (uint32_t)(exp + 15) << 10 | man >> 13;
    else if (exp >= -24 && exp <= -15 && ((man | 0x800000) & ((1u << (-exp - 1)) - 1)) == 0)
        half = sign | (man | 0x800000) >> (-exp - 1);
    else {
        *w++ = 0xFA;
        *w++ = (uint8_t)(pun.u >> 24);
        *w++ = (uint8_t)(pun.u >> 16);
        *w++ = (uint8_t)(pun.u >> 8);
        *w++ = (uint8_t)pun.u;
        return w;
    }
    *w++ = 0xF9;
    *w++ = (uint8_t)(half >> 8);
    *w++ = (uint8_t)half;
    return w;
}

int cbor_encode_reading(uint8_t *out, unsigned cap, const struct reading *r, unsigned count)
{
    uint32_t before = 0;
    unsigned used = 1, done = 0;

    if (cap == 0)
        return 0;
    if (count > 23)
        count = 23;

    for (; done < count; done++, r++) {
        uint8_t item[40];
        uint8_t *w = item;

        *w++ = MT_MAP | 3;
        *w++ = KEY_ID;
        w = putHead(w, MT_UINT, r->id);

        *w++ = KEY_VALUE;
        switch (r->kind) {
        case VAL_INT:
            w = putInt(w, r->u.num);
            break;
        case VAL_COUNTER:
            w = putHead(w, MT_UINT, r->u.counter);
            break;
        case VAL_REAL:
            w = putFloat(w, r->u.real);
            break;
        case VAL_TEXT:
        case VAL_BYTES: {
            unsigned len = r->u.str.len < 12 ? r->u.str.len : 12;

            w = putHead(w, r->kind == VAL_TEXT ? MT_TEXT : MT_BYTES, len);
            memcpy(w, r->u.str.data, len);
            w += len;
            break;
        }
        case VAL_NULL:
            *w++ = 0xF6;
            break;
        default:
            *w++ = 0xF7;        /* undefined */
            break;
        }

        *w++ = KEY_TIME;
        *w++ = MT_TAG | 1;
        w = putInt(w, (int64_t)r->time - before);
        before = r->time;

        unsigned len = (unsigned)(w - item);
        if (len > cap - used)
            break;
        memcpy(out + used, item, len);
        used += len;
    }

    out[0] = (uint8_t)(MT_ARRAY | done);
    return (int)(used | done << 16);
}
