// Time client of the metering gateway: one answer in, one correction of the clock out (or none yet).

#include <stdint.h>
#include <stdbool.h>

#define N_SAMPLES   8
#define MIN_SAMPLES 3
#define AGREEING    3

#define STEP_LIMIT  ((int64_t)1 << 29)      // 125 ms in units of 2^-32 s
#define FRAC        (1.0 / 4294967296.0)
#define DRIFT       15e-6                   // what our crystal may lose meanwhile, per poll and second

#define GAIN_P      40.0                    // ppm per second of offset
#define GAIN_I      4.0
#define PPM_MAX     500.0

struct ntp_sample {
    int64_t  offset, delay;                 // 32.32
    uint32_t poll;
};

struct ntp_peer {
    uint64_t origin;                        // transmit time of the request under way, 0: none
    uint32_t poll;
    uint32_t used;                          // poll of the sample that steered the clock last
    struct ntp_sample sample[N_SAMPLES];
    uint8_t  order[N_SAMPLES];              // sample numbers, least delay first
    uint8_t  n, slot;
    int8_t   spikes;                        // large offsets in a row, signed as they are
    double   ppm;
};

struct ntp_out {
    double offset, delay, jitter, dispersion;
};

enum { NTP_STEP = 1, NTP_SLEW = 0, NTP_WAIT = -1, NTP_STRANGER = -2, NTP_NEGATIVE = -3 };

extern void clock_step_frac(int64_t frac32);
extern void clock_slew_ppb(int32_t ppb);

static double magnitude(double x) { return x < 0.0 ? -x : x; }

static double limit(double x)
{
    return x > PPM_MAX ? PPM_MAX : x < -PPM_MAX ? -PPM_MAX : x;
}

static void store(struct ntp_peer *p, int64_t offset, int64_t delay)
{
    struct ntp_sample *s = &p->sample[p->slot];
    int k, n = 0;

    // the oldest leaves the list, the new one sinks to its place
    for (k = 0; k < p->n; k++)
        if (p->order[k] != p->slot)
            p->order[n++] = p->order[k];
    for (k = n; k > 0 && p->sample[p->order[k - 1]].delay > delay; k--)
        p->order[k] = p->order[k - 1];
    p->order[k] = p->slot;
    p->n = (uint8_t)(n + 1);

    s->offset = offset;
    s->delay = delay;
    s->poll = p->poll;
    p->slot = (uint8_t)((p->slot + 1) % N_SAMPLES);
}

int ntp_clock_discipline(struct ntp_peer *p, const uint64_t t[4], struct ntp_out *out)
{
    const struct ntp_sample *best;
    double offset, spread, sum, weight;
    int64_t there, back, delay;
    int k;

    if (t[0] == 0 || t[0] != p->origin)
        return NTP_STRANGER;
    p->origin = 0;                          // a second answer would be a replay

    // all differences are small, whatever era the stamps belong to
    there = (int64_t)(t[1] - t[0]);
    back = (int64_t)(t[2] - t[3]);
    delay = (int64_t)((t[3] - t[0]) - (t[2] - t[1]));
    if (delay < 0)
        return NTP_NEGATIVE;

    p->poll++;
    store(p, (there >> 1) + (back >> 1) + (there & back & 1), delay);

    // least delay, but never anything older than what has been used already
    for (k = 0; k + 1 < p->n && (int32_t)(p->sample[p->order[k]].poll - p->used) < 0; k++)
        ;
    best = &p->sample[p->order[k]];
    offset = (double)best->offset * FRAC;

    sum = 0.0;
    spread = 0.0;
    weight = 0.5;
    for (k = 0; k < p->n; k++) {
        const struct ntp_sample *s = &p->sample[p->order[k]];
        double away = magnitude((double)s->offset * FRAC - offset);

        sum += away;
        spread += weight * (away + DRIFT * (double)(p->poll - s->poll));
        weight *= 0.5;
    }
    out->offset = offset;
    out->delay = (double)best->delay * FRAC;
    out->jitter = p->n > 1 ? sum / (double)(p->n - 1) : 0.0;
    out->dispersion = spread;
    if (p->n < MIN_SAMPLES)
        return NTP_WAIT;

    if (best->offset > STEP_LIMIT || best->offset < -STEP_LIMIT) {
        if (best->offset > 0)
            p->spikes = (int8_t)(p->spikes > 0 ? p->spikes + 1 : 1);
        else
            p->spikes = (int8_t)(p->spikes < 0 ? p->spikes - 1 : -1);
        if (p->spikes < AGREEING && p->spikes > -AGREEING)
            return NTP_WAIT;
        clock_step_frac(best->offset);
        p->used = best->poll;
        p->spikes = 0;
        p->n = 0;                           // measured against the old clock
        return NTP_STEP;
    }

    p->spikes = 0;
    p->used = best->poll;
    p->ppm = limit(p->ppm + GAIN_I * offset);
    clock_slew_ppb((int32_t)(limit(p->ppm + GAIN_P * offset) * 1000.0));
    return NTP_SLEW;
}
