#include <stdbool.h>
#include <stdint.h>

struct sample {
    int64_t t;      // milliseconds since the epoch
    double v;
};

union Pattern {
    double number;
    uint64_t bits;
};

struct BitSink {
    uint8_t *bytes;
    unsigned used;      // bits written
    unsigned limit;     // bits there is room for
    bool full;          // something did not fit; nothing is written from then on
};

// Appends the low `count` bits of value, highest first. All or nothing.
static void put(struct BitSink *sink, uint64_t value, unsigned count)
{
    if (sink->full || sink->limit - sink->used < count) {
        sink->full = true;
        return;
    }

    while (count > 0) {
        unsigned fill = sink->used & 7;
        unsigned take = 8 - fill;
        if (take > count)
            take = count;
        if (fill == 0)
            sink->bytes[sink->used >> 3] = 0;

        unsigned chunk = (unsigned)(value >> (count - take)) & ((1u << take) - 1);
        sink->bytes[sink->used >> 3] |= (uint8_t)(chunk << (8 - fill - take));
        sink->used += take;
        count -= take;
    }
}

static unsigned leadingZeros(uint64_t x)
{
    unsigned n = 0;
    for (unsigned half = 32; half > 0; half >>= 1) {
        if (x >> (64 - half) == 0) {
            n += half;
            x <<= half;
        }
    }
    return n;
}

static unsigned trailingZeros(uint64_t x)
{
    return 63 - leadingZeros(x & (~x + 1));
}

// Prefix and width by size of the second difference.
static void putTime(struct BitSink *sink, int64_t dod)
{
    unsigned prefix, prefixBits, width;

    if (dod == 0) {
        put(sink, 0, 1);
        return;
    }
    if (dod >= -64 && dod < 64) {
        prefix = 2, prefixBits = 2, width = 7;
    } else if (dod >= -256 && dod < 256) {
        prefix = 6, prefixBits = 3, width = 9;
    } else if (dod >= -2048 && dod < 2048) {
        prefix = 14, prefixBits = 4, width = 12;
    } else {
        prefix = 15, prefixBits = 4, width = 32;
    }
    put(sink, prefix, prefixBits);
    put(sink, (uint64_t)dod, width);
}

int gorilla_series_encode(const struct sample *s, unsigned n, uint8_t *out, unsigned cap)
{
    struct BitSink sink = { out, 0, cap * 8, false };
    union Pattern previous;
    uint64_t delta = 0;
    bool haveWindow = false;
    unsigned windowLead = 0, windowTrail = 0;

    if (n == 0)
        return 0;

    previous.number = s[0].v;
    put(&sink, (uint64_t)s[0].t, 64);
    put(&sink, previous.bits, 64);

    for (unsigned i = 1; i < n && !sink.full; i++) {
        // Clocks get set back, and some loggers start at INT64_MIN: no signed differences.
        uint64_t newDelta = (uint64_t)s[i].t - (uint64_t)s[i - 1].t;
        int64_t dod = (int64_t)(newDelta - delta);
        if (dod < INT32_MIN || dod > INT32_MAX)
            break;      // the caller opens a new block here
        delta = newDelta;
        putTime(&sink, dod);

        union Pattern now;
        now.number = s[i].v;
        uint64_t diff = now.bits ^ previous.bits;
        previous = now;

        if (diff == 0) {
            put(&sink, 0, 1);
            continue;
        }

        unsigned lead = leadingZeros(diff);
        unsigned trail = trailingZeros(diff);
        if (lead > 31)
            lead = 31;  // five bits in the header

        if (haveWindow && lead >= windowLead && trail >= windowTrail) {
            put(&sink, 2, 2);
        } else {
            haveWindow = true;
            windowLead = lead;
            windowTrail = trail;
            unsigned length = 64 - lead - trail;
            put(&sink, 3, 2);
            put(&sink, lead, 5);
            put(&sink, length & 63, 6);
        }
        put(&sink, diff >> windowTrail, 64 - windowLead - windowTrail);
    }

    return sink.full ? -1 : (int)sink.used;
}
