/*
 * Level meter: log2(num / den), Q24 inside, with the statistics that the front
 * panel shows beside the bar.
 */
#include <stdint.h>

#define Q24_ONE         (1 << 24)
#define LN2_HALF_Q16    22713           /* ln(2) / 2 */

typedef struct logstat {
    uint16_t channel;
    uint8_t  latched;
    int8_t   limit;                     /* whole units */
    int32_t  min_hold;
    int32_t  max_hold;
    uint16_t histogram[16];             /* half units, bin 8 begins at 0 */
} logstat_t;

extern void meter_overrange(unsigned channel, int32_t value);

static const int32_t s_log2_tab[33] = {
           0,   744810,  1467383,  2169009,  2850868,  3514044,
     4159533,  4788255,  5401057,  5998727,  6581994,  7151536,
     7707984,  8251926,  8783912,  9304457,  9814042, 10313120,
    10802114, 11281425, 11751428, 12212479, 12664911, 13109041,
    13545168, 13973576, 14394532, 14808293, 15215099, 15615181,
    16008758, 16396036, 16777216,
};

static int64_t log2_q24(uint32_t v)
{
    unsigned lz   = (unsigned)__builtin_clz(v);
    uint32_t m    = v << lz;
    unsigned i    = (m >> 26) & 31u;
    uint32_t f    = (m >> 10) & 0xFFFFu;            /* place within the interval, Q16 */
    int64_t  step = s_log2_tab[i + 1] - s_log2_tab[i];
    int64_t  lin  = step * f / 65536;

    /* the chord lies below the curve by step^2 * ln2/2 * f(1-f) */
    int64_t  bow  = step * step / Q24_ONE * LN2_HALF_Q16 / 65536;
    bow = bow * (int64_t)((uint64_t)f * (65536u - f) >> 16) / 65536;

    return (int64_t)(31u - lz) * Q24_ONE + s_log2_tab[i] + lin + bow;
}

int32_t q31_log2_ratio(uint32_t num, uint32_t den, unsigned frac_bits, struct logstat *ls)
{
    int64_t diff;
    int32_t value;
    int     bin;

    if (frac_bits > 24)
        frac_bits = 24;

    if (num == 0 || den == 0) {
        value = num == 0 ? INT32_MIN : INT32_MAX;
        diff  = num == 0 ? -(int64_t)64 * Q24_ONE : (int64_t)64 * Q24_ONE;
    } else {
        unsigned drop = 24 - frac_bits;
        int64_t  half = (int64_t)1 << drop >> 1;

        diff  = log2_q24(num) - log2_q24(den);
        value = diff < 0 ? -(int32_t)((half - diff) >> drop) : (int32_t)((diff + half) >> drop);
    }

    /* peak hold both ways, falling back by one step a call */
    if (value >= ls->max_hold)
        ls->max_hold = value;
    else
        ls->max_hold--;
    if (value <= ls->min_hold)
        ls->min_hold = value;
    else
        ls->min_hold++;

    bin = (int)((diff + (int64_t)64 * Q24_ONE) / (Q24_ONE / 2)) - 128 + 8;
    if (bin < 0)
        bin = 0;
    if (bin > 15)
        bin = 15;
    if (++ls->histogram[bin] == UINT16_MAX) {
        for (int i = 0; i < 16; i++)
            ls->histogram[i] >>= 1;
    }

    if (!ls->latched && diff >= (int64_t)ls->limit * Q24_ONE) {
        ls->latched = 1;
        meter_overrange(ls->channel, value);
    } else if (ls->latched && diff <= (int64_t)(ls->limit - 2) * Q24_ONE) {
        ls->latched = 0;
    }
    return value;
}
