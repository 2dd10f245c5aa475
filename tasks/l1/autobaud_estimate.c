#include <stdint.h>

#define GLITCH_TICKS   4
#define MAX_RUN_BITS   9
#define MIN_INTERVALS  3

static const uint32_t StdRates[11] = {
      1200,   2400,   4800,   9600,  19200,  38400,
     57600, 115200, 230400, 460800, 921600
};

/* Interval before edge i. The capture timer is 16 bits wide and never stopped. */
static uint16_t interval(const uint16_t *edges, unsigned i)
{
    return (uint16_t)(edges[i] - edges[i - 1]);
}

int autobaud_estimate(const uint16_t *edges, unsigned n, uint32_t timer_hz, float *err_out)
{
    unsigned i, used = 0;
    uint32_t shortest = 0x10000u;
    float    ticksPerBit, rate, bestErr, sum = 0.0f;
    int      best = 0;

    for (i = 1; i < n; i++) {
        uint16_t d = interval(edges, i);
        if (d >= GLITCH_TICKS && d < shortest)
            shortest = d;
    }

    /* Second pass: anything close to a whole number of candidate bits refines the estimate. */
    for (i = 1; i < n; i++) {
        int32_t d = interval(edges, i);
        int32_t bit = (int32_t)shortest;
        int32_t bits, off;

        if (d < GLITCH_TICKS)
            continue;
        bits = (d + bit / 2) / bit;
        if (bits > MAX_RUN_BITS)
            continue;               /* idle line between characters */
        off = d - bits * bit;
        if (off < 0)
            off = -off;
        if (4 * off > bit)
            continue;
        sum += (float)d / (float)bits;
        used++;
    }
    if (used < MIN_INTERVALS)
        return -1;

    ticksPerBit = sum / (float)used;
    rate = (float)timer_hz / ticksPerBit;

    bestErr = (rate - 1200.0f) / 1200.0f;
    for (i = 1; i < sizeof StdRates / sizeof StdRates[0]; i++) {
        float want = (float)StdRates[i];
        float err = (rate - want) / want;
        float a = err < 0.0f ? -err : err;
        float b = bestErr < 0.0f ? -bestErr : bestErr;
        if (a < b) {
            bestErr = err;
            best = (int)i;
        }
    }

    *err_out = bestErr;
    if (bestErr > 0.035f || bestErr < -0.035f)
        return -2;
    return best;
}
