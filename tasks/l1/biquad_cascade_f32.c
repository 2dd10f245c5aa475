/*
 * Parametric equaliser, float path.  Direct form II transposed, up to six
 * sections in series, limiter at the end of the chain.
 */
#include <stdint.h>

#define EQ_MAX_SECTIONS 6u
#define EQ_RAMP_LEN     32u
#define EQ_DENORM       1e-20f
#define EQ_BLOWUP       1e6f

struct biquad_sec {
    float   b0, b1, b2;
    float   a1, a2;
    float   z1, z2;
    uint8_t bypass;
    uint8_t ramp;               /* samples left until pend[] is reached */
};

struct biquad_chain {
    struct biquad_sec sec[EQ_MAX_SECTIONS];
    float    pend[EQ_MAX_SECTIONS][5];
    uint8_t  nsec;
    uint16_t blowups;
};

static float toward(float from, float to, unsigned left)
{
    return from + (to - from) / (float)left;
}

/* Decaying tails end up in the subnormals and cost us a trap on the old board. */
static float flush(float z)
{
    return (z < EQ_DENORM && z > -EQ_DENORM) ? 0.0f : z;
}

static int runaway(float z)
{
    return z > EQ_BLOWUP || z < -EQ_BLOWUP;
}

unsigned biquad_cascade_f32(struct biquad_chain *c, const float *in, float *out, unsigned n)
{
    unsigned nsec = c->nsec < EQ_MAX_SECTIONS ? c->nsec : EQ_MAX_SECTIONS;
    unsigned clipped = 0;

    if (nsec == 0) {
        for (unsigned i = 0; i < n; i++)
            out[i] = in[i];
        return 0;
    }

    for (unsigned i = 0; i < n; i++) {
        float x = in[i];

        for (unsigned k = 0; k < nsec; k++) {
            struct biquad_sec *s = &c->sec[k];

            if (s->ramp != 0) {
                const float *p = c->pend[k];
                unsigned left = s->ramp > EQ_RAMP_LEN ? EQ_RAMP_LEN : s->ramp;

                if (left == 1) {
                    s->b0 = p[0];
                    s->b1 = p[1];
                    s->b2 = p[2];
                    s->a1 = p[3];
                    s->a2 = p[4];
                } else {
                    s->b0 = toward(s->b0, p[0], left);
                    s->b1 = toward(s->b1, p[1], left);
                    s->b2 = toward(s->b2, p[2], left);
                    s->a1 = toward(s->a1, p[3], left);
                    s->a2 = toward(s->a2, p[4], left);
                }
                s->ramp = (uint8_t)(left - 1);
            }
            if (s->bypass)
                continue;

            float y  = s->b0 * x + s->z1;
            float z1 = s->b1 * x - s->a1 * y + s->z2;
            float z2 = s->b2 * x - s->a2 * y;

            if (runaway(z1) || runaway(z2)) {
                s->z1 = 0.0f;
                s->z2 = 0.0f;
                s->bypass = 1;
                c->blowups++;
                continue;               /* this section is a wire from now on */
            }
            s->z1 = flush(z1);
            s->z2 = flush(z2);
            x = y;
        }

        float mag = x < 0.0f ? -x : x;
        if (mag > 0.9f) {
            float d = mag - 0.9f;
            if (d >= 0.2f) {
                mag = 1.0f;
                clipped++;
            } else {
                mag = 0.9f + d - 2.5f * d * d;
            }
            x = x < 0.0f ? -mag : mag;
        }
        out[i] = x;
    }
    return clipped;
}
