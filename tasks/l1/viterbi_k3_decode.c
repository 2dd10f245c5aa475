/* Convolutional decoder for the short-range telemetry link, rate 1/2, K = 3 (generators 7 and 5). */
#include <stdint.h>

#define N_STATES    4
#define MAX_SYM     64
#define MIN_SYM     3
#define TAIL_FLAG   0x80u   /* in nsym: the encoder was flushed with two zeros */
#define NORM_LIMIT  100
#define METRIC_MAX  255

/* Cost of a soft value when the coder sent 0 / sent 1. An erasure (7) must not
 * prefer either, hence the dent in the second row. */
static const uint8_t SOFT_COST[2][16] = {
    {  0,  1,  2,  3,  4,  5,  6,  7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 15, 14, 13, 12, 11, 10,  9,  7, 7, 6,  5,  4,  3,  2,  1,  0 },
};

/* Output pair for the three register bits (older state bits, then the new one). */
static const uint8_t CODE_PAIR[8] = { 0, 3, 2, 1, 3, 0, 1, 2 };

int viterbi_k3_decode(const uint8_t *soft, unsigned nsym, uint8_t *bits)
{
    const int      has_tail = (nsym & TAIL_FLAG) != 0;
    const unsigned len      = nsym & ~TAIL_FLAG;
    uint8_t  metric[N_STATES] = { 0, METRIC_MAX, METRIC_MAX, METRIC_MAX };
    uint8_t  next[N_STATES];
    uint8_t  survivor[MAX_SYM / 2];     /* one nibble a step, one bit a state */
    unsigned t, s, best, n_out;
    int      offset = 0;

    if (len > MAX_SYM || len < MIN_SYM)
        return -1;

    for (t = 0; t < MAX_SYM / 2; t++)
        survivor[t] = 0;

    for (t = 0; t < len; t++) {
        const uint8_t first  = soft[2 * t] & 15;
        const uint8_t second = soft[2 * t + 1] & 15;
        uint8_t lowest = METRIC_MAX;

        for (s = 0; s < N_STATES; s++) {
            unsigned from  = s >> 1;            /* the other one is from + 2 */
            unsigned taken = 0;
            int      cost[2];

            for (unsigned k = 0; k < 2; k++) {
                unsigned p    = from + 2 * k;
                unsigned pair = CODE_PAIR[(p << 1) | (s & 1)];
                int c = metric[p] + SOFT_COST[pair >> 1][first] + SOFT_COST[pair & 1][second];
                cost[k] = c > METRIC_MAX ? METRIC_MAX : c;
            }
            if (cost[1] < cost[0])
                taken = 1;
            next[s] = (uint8_t)cost[taken];
            survivor[t >> 1] |= (uint8_t)(taken << (s + ((t & 1) << 2)));
            if (next[s] < lowest)
                lowest = next[s];
        }

        if (lowest <= NORM_LIMIT)
            lowest = 0;
        offset += lowest;
        for (s = 0; s < N_STATES; s++)
            metric[s] = (uint8_t)(next[s] - lowest);
    }

    best  = 0;
    n_out = len;
    if (has_tail) {
        n_out -= 2;
    } else {
        for (s = 1; s < N_STATES; s++)
            if (metric[s] < metric[best])
                best = s;
    }
    offset += metric[best];

    for (t = 0; t < (n_out + 7) / 8; t++)
        bits[t] = 0;

    s = best;
    for (t = len; t-- > 0; ) {
        unsigned hist = (survivor[t >> 1] >> (s + ((t & 1) << 2))) & 1u;
        if (t < n_out)
            bits[t >> 3] |= (uint8_t)((s & 1) << (7 - (t & 7)));
        s = (s >> 1) + 2 * hist;
    }

    return offset;
}
