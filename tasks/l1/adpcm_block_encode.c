#include <stdint.h>

#define BLOCK_SAMPLES   32
#define LAST_STEP       48

struct adpcm {
    int16_t y1;         /* last decoded sample */
    int16_t y2;         /* the one before */
    int16_t shaped;     /* error of the last sample */
    uint8_t index;      /* 0..48 */
    uint8_t phase;      /* sample within the block, 0..31 */
    uint8_t nibble;     /* waits for its other half while phase is odd */
    uint8_t spare;
};

/* grows by 16 percent a step */
static const int16_t step_size[LAST_STEP + 1] = {
       11,    13,    15,    17,    20,    23,    27,    31,    36,    42,
       49,    56,    65,    76,    88,   102,   118,   137,   159,   185,
      214,   248,   288,   334,   388,   450,   522,   605,   702,   814,
      944,  1095,  1271,  1474,  1710,  1983,  2301,  2669,  3096,  3591,
     4166,  4832,  5606,  6503,  7543,  8750, 10150, 11774, 13658
};

static const int8_t index_change[8] = { -1, -1, -1, -1, 2, 3, 5, 7 };

static int32_t sat16(int32_t v)
{
    if (v > INT16_MAX) return INT16_MAX;
    if (v < INT16_MIN) return INT16_MIN;
    return v;
}

/* Voice prompts and door station audio. A receiver may join at any block, so
   each starts with what it needs: last sample (low byte first) and step index. */
int adpcm_block_encode(struct adpcm *st, const int16_t *pcm, unsigned n, uint8_t *out)
{
    int32_t  y1 = st->y1, y2 = st->y2, err = st->shaped;
    int32_t  index = st->index;
    unsigned phase = st->phase;
    uint8_t *w = out;

    while (n-- > 0) {
        int32_t want, guess, diff, step, quant;
        uint8_t code = 0;

        if (phase == 0) {
            *w++ = (uint8_t)y1;
            *w++ = (uint8_t)(y1 >> 8);
            *w++ = (uint8_t)index;
            y2  = y1;           /* the receiver does not know the older one */
            err = 0;
        }

        want  = sat16(*pcm++ + err / 4);
        guess = (3 * y1 + y2) / 4;
        step  = step_size[index];
        diff  = want - guess;
        if (diff < 0) {
            code = 8;
            diff = -diff;
        }

        /* three bits, each worth half of the one before, and half of the last always */
        quant = step >> 3;
        if (diff >= step) {
            code |= 4;
            diff  -= step;
            quant += step;
        }
        step >>= 1;
        if (diff >= step) {
            code |= 2;
            diff  -= step;
            quant += step;
        }
        step >>= 1;
        if (diff >= step) {
            code |= 1;
            quant += step;
        }

        y2  = y1;
        y1  = sat16(code & 8 ? guess - quant : guess + quant);
        err = sat16(want - y1);

        index += index_change[code & 7];
        if (index < 0)
            index = 0;
        else if (index > LAST_STEP)
            index = LAST_STEP;

        if (phase & 1)
            *w++ = (uint8_t)(st->nibble | code << 4);
        else
            st->nibble = code;
        phase = (phase + 1) % BLOCK_SAMPLES;
    }

    st->y1 = (int16_t)y1;
    st->y2 = (int16_t)y2;
    st->shaped = (int16_t)err;
    st->index = (uint8_t)index;
    st->phase = (uint8_t)phase;
    return (int)(w - out);
}
