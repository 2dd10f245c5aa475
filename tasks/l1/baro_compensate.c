/*
 * Altimeter watch: pressure from raw converter words.
 *
 *   sens  pressure sensitivity          tcs  its temperature coefficient
 *   off   pressure offset               tco  its temperature coefficient
 *   tref  reference temperature / 256   tempsens  centidegrees per 2^23 counts
 *
 * q1/q2 are our own end-of-line trim for the cold branches.
 */
#include <stdint.h>

struct baro_cal {
    uint16_t sens, off, tref;
    int16_t tcs, tco, tempsens;
    int8_t q1, q2;
};

struct knot { int32_t pa; int32_t cm; };

#define KNOT_COUNT 9

static const struct knot isa[KNOT_COUNT] = {
    { 110000, -69800 }, { 101325,      0 }, {  95461,  50000 },
    {  89875, 100000 }, {  79495, 200000 }, {  70109, 300000 },
    {  54020, 500000 }, {  41061, 700000 }, {  30000, 916400 },
};

static int32_t clamp32(int64_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

int32_t baro_compensate(const struct baro_cal *c, int32_t raw_t, int32_t raw_p, int32_t *alt_cm)
{
    const int32_t dt = raw_t - (int32_t)((uint32_t)c->tref << 8);
    int32_t temp = clamp32(2000 + (int64_t)dt * c->tempsens / 8388608, -4000, 8500);

    int64_t off  = (int64_t)((uint64_t)c->off  << 16) + (int64_t)c->tco * dt / 128;
    int64_t sens = (int64_t)((uint64_t)c->sens << 15) + (int64_t)c->tcs * dt / 256;

    if (temp < 2000) {
        int64_t sq = (int64_t)(temp - 2000) * (temp - 2000);
        off  -= c->q1 * sq / 2;
        sens -= c->q1 * sq / 4;
        if (temp < -1500) {
            sq = (int64_t)(temp + 1500) * (temp + 1500);
            off  -= c->q2 * sq;
            sens -= c->q2 * sq * 3 / 2;
        }
    }

    int32_t p = clamp32((raw_p * sens / 2097152 - off) / 32768, 30000, 110000);

    /* knots fall in pressure */
    int i = 0;
    while (i < KNOT_COUNT - 2 && p < isa[i + 1].pa)
        i++;
    int32_t span = isa[i].pa - isa[i + 1].pa;
    int64_t rise = (int64_t)(isa[i + 1].cm - isa[i].cm) * (isa[i].pa - p);
    *alt_cm = isa[i].cm + (int32_t)((rise + span / 2) / span);

    return p;
}
