/* agc.c - levelling for the intercom microphone path */
#include <stdint.h>

extern float sqrtf(float x);

#define AGC_LOOKAHEAD   16

struct agc {
    /* tuning */
    float    attack;
    float    release;
    float    floor_ms;          /* gate threshold, mean square */
    float    target;
    float    max_gain;
    float    slew;              /* largest gain change per sample */
    float    ceiling;
    float    recover;
    uint16_t hold_len;

    /* state */
    uint16_t hold;
    float    ms;
    float    gain;
    float    lim;
    float    lim_need;
    float    lim_step;
    uint8_t  lim_left;
    uint8_t  pos;
    float    line[AGC_LOOKAHEAD];
};

float agc_limiter_run(struct agc *a, float *pcm, unsigned n)
{
    float lowest = 1.0f;

    for (unsigned i = 0; i < n; ++i) {
        const float x = pcm[i];
        const float p = x * x;

        if (p > a->ms) {
            a->ms += a->attack * (p - a->ms);
            a->hold = a->hold_len;
        } else if (a->hold != 0) {
            --a->hold;
        } else {
            a->ms += a->release * (p - a->ms);
        }

        float want = 1.0f;
        if (a->ms >= a->floor_ms) {
            want = a->target / sqrtf(a->ms);
            if (want > a->max_gain)
                want = a->max_gain;
        }

        float change = want - a->gain;
        if (change > a->slew)
            change = a->slew;
        else if (change < -a->slew)
            change = -a->slew;
        a->gain += change;

        /* newest sample goes into the line, the oldest comes out of the same cell */
        const float y = x * a->gain;
        const float mag = y < 0.0f ? -y : y;
        const unsigned cell = a->pos % AGC_LOOKAHEAD;
        const float oldest = a->line[cell];
        a->line[cell] = y;
        a->pos = (uint8_t)((cell + 1) % AGC_LOOKAHEAD);

        if (mag > a->ceiling) {
            const float need = a->ceiling / mag;
            if (need < a->lim) {
                const float step = (a->lim - need) / (float)AGC_LOOKAHEAD;
                if (a->lim_left == 0 || step > a->lim_step)
                    a->lim_step = step;
                if (a->lim_left == 0 || need < a->lim_need)
                    a->lim_need = need;
                a->lim_left = AGC_LOOKAHEAD;
            }
        }

        if (a->lim_left != 0) {
            a->lim -= a->lim_step;
            if (a->lim < a->lim_need)
                a->lim = a->lim_need;
            --a->lim_left;
        } else if (a->lim < 1.0f) {
            a->lim += a->recover * (1.0f - a->lim);
            if (a->lim > 0.9999f)
                a->lim = 1.0f;
        }

        if (a->lim < lowest)
            lowest = a->lim;
        pcm[i] = oldest * a->lim;
    }

    return lowest;
}
