// Indoor air monitor: metal-oxide channels. Resistance drops when there is gas.
#include <stdint.h>

struct gas_ch {
    float    baseline;      // clean-air code
    uint32_t born_s;        // when the sensor was fitted
    uint32_t stored_s;      // last time the baseline went to flash
    uint16_t misses;
    uint8_t  cls;           // 0 clean .. 5 hazardous
    uint8_t  frozen;
};

extern int  gas_sensor_read(unsigned ch);
extern void nvs_put_float_bits(unsigned key, uint32_t bits);
extern void aq_log(const char *fmt, ...);

static const uint32_t BURN_IN_S  = 48u * 3600u;
static const uint32_t DAY_S      = 86400u;
static const float    RISE       = 0.0625f;
static const float    FALL       = 0.00390625f;
static const float    HYSTERESIS = 0.03125f;
enum { WORST = 5, NVS_BASELINE = 0x40 };

// class k turns into k+1 below level[k]
static const float level[WORST] = { 0.875f, 0.75f, 0.625f, 0.5f, 0.375f };

static uint32_t float_bits(float f)
{
    union { float f; uint32_t u; } x;
    x.f = f;
    return x.u;
}

int gas_baseline_track(struct gas_ch *ch, unsigned nch, uint32_t now_s)
{
    int worst = -1;

    for (unsigned i = 0; i < nch; i++) {
        struct gas_ch *c = &ch[i];
        const int code = gas_sensor_read(i);

        if (code < 0 || code > 0xFFFF) {
            if (c->misses != UINT16_MAX)
                c->misses++;
            continue;
        }

        const float r = (float)code;
        c->frozen = now_s - c->born_s < BURN_IN_S;
        if (!c->frozen)
            c->baseline += (r - c->baseline) * (r > c->baseline ? RISE : FALL);

        const float ratio = r / (c->baseline < 1.0f ? 1.0f : c->baseline);
        unsigned cls = c->cls > WORST ? WORST : c->cls;
        while (cls < WORST && ratio < level[cls])
            cls++;
        while (cls > 0 && ratio > level[cls - 1] + HYSTERESIS)
            cls--;

        if (cls != c->cls) {
            aq_log("air: ch%u class %u -> %u (%d/1000 of clean)", i, (unsigned)c->cls, cls, (int)(ratio * 1000.0f + 0.5f));
            c->cls = (uint8_t)cls;
        }

        if (!c->frozen && now_s - c->stored_s >= DAY_S) {
            nvs_put_float_bits(NVS_BASELINE + i, float_bits(c->baseline));
            c->stored_s = now_s;
        }

        if ((int)cls > worst)
            worst = (int)cls;
    }
    return worst;
}
