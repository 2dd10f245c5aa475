#include <stdint.h>
#include <stdbool.h>

#define LINE_LIMIT 76

struct b64 {
    uint32_t acc : 24;
    uint32_t nq : 3;        // characters of the current group
    uint32_t pad : 2;       // '=' seen in it
    uint32_t alpha : 2;     // 0 undecided, 1 standard, 2 for file names and URLs
    uint32_t ended : 1;
    uint16_t column;
    uint8_t relaxed;
    uint8_t long_lines;
};

// '+' to 'z'; what the alphabets do not share is sorted out by the caller
static const int8_t sextet_of[80] = {
    62, -1, 62, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1,
    -1, -1, -1, -1, -1, -1,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    -1, -1, -1, -1, 63, -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
    36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
};

// Two or three characters of a group are there and nothing more will follow.
// Returns the bytes in them, 0 if bits are left over that belong to no byte.
static unsigned flush_group(struct b64 *s, uint8_t *out)
{
    uint32_t acc = s->acc;
    unsigned bytes = s->nq - 1u;

    if (acc & (bytes == 1 ? 0x0Fu : 0x03u))
        return 0;

    if (bytes == 1) {
        out[0] = (uint8_t)(acc >> 4);
    } else {
        out[0] = (uint8_t)(acc >> 10);
        out[1] = (uint8_t)(acc >> 2);
    }
    s->acc = 0;
    s->nq = 0;
    s->ended = 1;
    return bytes;
}

int base64_stream_decode(struct b64 *s, const char *in, unsigned n, uint8_t *out)
{
    unsigned written = 0;

    if (n == 0) {
        if (s->nq == 0) {
            s->ended = 1;
            return 0;
        }
        if (!s->relaxed || s->nq == 1)
            return -1;
        written = flush_group(s, out);
        return written ? (int)written : -1;
    }

    for (unsigned i = 0; i < n; i++) {
        const uint8_t c = (uint8_t)in[i];
        const int fault = -1 - (int)i;

        if (c == '\r' || c == '\n') {
            s->column = 0;
            continue;
        }
        s->column++;
        if (s->column == LINE_LIMIT + 1 && s->long_lines < 255)
            s->long_lines++;
        if (c == ' ' || c == '\t')
            continue;
        if (s->ended)
            return fault;

        if (c == '=') {
            if (s->nq < 2)
                return fault;
            s->pad++;
            if (s->nq + s->pad == 4) {
                unsigned tail = flush_group(s, out + written);
                if (tail == 0)
                    return fault;
                written += tail;
            }
            continue;
        }

        if (s->pad != 0 || c < '+' || c > 'z')
            return fault;
        int value = sextet_of[c - '+'];
        if (value < 0)
            return fault;
        if (value >= 62) {
            unsigned alphabet = (c == '+' || c == '/') ? 1 : 2;
            if (s->alpha == 0)
                s->alpha = alphabet & 3u;
            else if (s->alpha != alphabet)
                return fault;
        }

        s->acc = (s->acc << 6 | (uint32_t)value) & 0xFFFFFFu;
        if (s->nq < 3) {
            s->nq++;
            continue;
        }
        out[written++] = (uint8_t)(s->acc >> 16);
        out[written++] = (uint8_t)(s->acc >> 8);
        out[written++] = (uint8_t)s->acc;
        s->nq = 0;
    }
    return (int)written;
}
