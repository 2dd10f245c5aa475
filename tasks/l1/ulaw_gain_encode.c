#include <stdint.h>

#define CF_ALAW      0x01u
#define CF_SIGNALLED 0x02u   /* every sixth byte carries a signalling bit */
#define CF_NO_ZERO   0x04u   /* line code without enough ones forbids 0x00 */

#define CLIP         32635
#define MU_BIAS      132

/* Signalling bits of this channel, next one lowest. */
extern uint16_t robbed_pattern;

static unsigned encode_mu(int32_t v)
{
    unsigned sign = 0;
    unsigned seg, mag;

    if (v < 0) {
        sign = 0x80;
        v = -v;
    }
    mag = (unsigned)v + MU_BIAS;
    for (seg = 7; seg > 0; seg--)
        if (mag & (0x80u << seg))
            break;
    return ~(sign | seg << 4 | (mag >> (seg + 3) & 0x0f)) & 0xff;
}

static unsigned encode_a(int32_t v)
{
    unsigned mask = 0xd5;       /* alternate bits inverted, sign bit 1 for positive */
    unsigned seg, mag;

    if (v < 0) {
        mask = 0x55;
        v = -v - 1;
    }
    mag = (unsigned)v >> 4;     /* 11 bits */
    seg = 0;
    while (mag > 31) {
        mag >>= 1;
        seg++;
    }
    if (mag > 15) {             /* leading one is implied from segment 1 on */
        mag -= 16;
        seg++;
    }
    return (seg << 4 | mag) ^ mask;
}

unsigned ulaw_gain_encode(const int16_t *pcm, uint8_t *out, unsigned n, int gain_q8, unsigned flags)
{
    unsigned clipped = 0;
    unsigned frame = 0;
    unsigned i;

    for (i = 0; i < n; i++) {
        int32_t v = pcm[i] * gain_q8;
        unsigned b;

        /* towards zero, so that a change of sign changes nothing else */
        v /= 256;
        if (v > CLIP) {
            v = CLIP;
            clipped++;
        } else if (v < -CLIP) {
            v = -CLIP;
            clipped++;
        }

        b = flags & CF_ALAW ? encode_a(v) : encode_mu(v);

        if (++frame == 6) {
            frame = 0;
            if (flags & CF_SIGNALLED) {
                unsigned bit = robbed_pattern & 1;
                b = (b & 0xfe) | bit;
                robbed_pattern = (uint16_t)(robbed_pattern >> 1 | bit << 15);
            }
        }
        if ((flags & CF_NO_ZERO) && b == 0)
            b = 0x02;
        out[i] = (uint8_t)b;
    }
    return clipped;
}
