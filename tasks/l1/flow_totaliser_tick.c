#include <stdint.h>

typedef float f32;

struct flowm {
  uint32_t total_l;       /* what the counter wheels show, 0..99999999 */
  uint32_t frac_q32;
  uint32_t batch_ml;      /* still to come, 0: no batch */
  uint16_t last_pulses;
  uint16_t last_step;
  uint16_t leak_s;
  uint8_t  jitter;        /* ticks of nonsense, decays */
  uint8_t  close_ds;      /* 1/10 s the valve takes */
  uint8_t  flags;
  f32      temp_c, bar;   /* last ones that made sense */
};

#define FM_REVERSE   0x01u
#define FM_EMPTY     0x02u
#define FM_LEAK      0x04u
#define FM_SENSOR    0x08u
#define FM_BATCH     0x10u   /* stays until the operator takes it back */

#define WHEELS       100000000u
#define LEAK_MLS     50u
#define LEAK_LIMIT   1200u
#define JITTER_BAD   5u

enum close_reason { CLOSE_BATCH = 1, CLOSE_LEAK = 2 };

extern void valve_close(unsigned reason);
extern void fm_display(uint32_t whole, unsigned frac, unsigned flags);

/* calibration sheet 0417: pulses per litre over pulse frequency */
static const struct { f32 hz, k; } kTable[6] = {
  {   10.0f, 41.20f },
  {   50.0f, 45.75f },
  {  200.0f, 48.00f },
  {  600.0f, 48.50f },
  { 1500.0f, 48.25f },
  { 2500.0f, 47.00f },
};

static f32 kFactor(f32 hz)
{
  int i = 0;

  if (hz <= kTable[0].hz)
    return kTable[0].k;
  while (i < 5 && hz > kTable[i + 1].hz)
    i++;
  if (i == 5)
    return kTable[5].k;
  return kTable[i].k + (kTable[i + 1].k - kTable[i].k) * ((hz - kTable[i].hz) / (kTable[i + 1].hz - kTable[i].hz));
}

static f32 limit(f32 x, f32 lo, f32 hi)
{
  return x < lo ? lo : x > hi ? hi : x;
}

uint32_t flow_totaliser_tick(struct flowm *f, uint16_t pulses, float temp_c, float bar)
{
  uint16_t step = (uint16_t)(pulses - f->last_pulses);
  uint8_t flags = f->flags & FM_BATCH;
  uint32_t mls = 0;

  f->last_pulses = pulses;

  if (temp_c >= -40.0f && temp_c <= 150.0f)
    f->temp_c = temp_c;
  else
    flags |= FM_SENSOR;
  if (bar >= 0.0f && bar <= 60.0f)
    f->bar = bar;
  else
    flags |= FM_SENSOR;

  if (step >= 0x8000u) {
    flags |= FM_REVERSE;
    step = 0;
  } else {
    uint16_t apart = step > f->last_step ? step - f->last_step : f->last_step - step;

    /* water does not change that fast, air does */
    if (f->last_step && apart > f->last_step / 2) {
      if (f->jitter < UINT8_MAX)
        f->jitter++;
    } else if (f->jitter) {
      f->jitter--;
    }
  }
  f->last_step = step;
  if (f->jitter >= JITTER_BAD)
    flags |= FM_EMPTY;

  if (step && !(flags & FM_EMPTY)) {
    f32 litres = (f32)step / kFactor((f32)step);
    uint64_t inc;

    litres *= limit(1.0f - 0.00021f * (f->temp_c - 15.0f), 0.98f, 1.005f);
    litres *= limit(1.0f + 0.000046f * (f->bar - 1.0f), 1.0f, 1.0015f);

    mls = (uint32_t)(litres * 1000.0f);
    inc = (uint64_t)(litres * 4294967296.0f) + f->frac_q32;
    f->frac_q32 = (uint32_t)inc;
    f->total_l += (uint32_t)(inc >> 32);
    if (f->total_l >= WHEELS)
      f->total_l -= WHEELS;
  }

  if (mls == 0 || mls >= LEAK_MLS) {
    f->leak_s = 0;
  } else if (f->leak_s < LEAK_LIMIT) {
    if (++f->leak_s == LEAK_LIMIT)
      valve_close(CLOSE_LEAK);
  }
  if (f->leak_s >= LEAK_LIMIT)
    flags |= FM_LEAK;

  if (f->batch_ml) {
    uint32_t left = f->batch_ml > mls ? f->batch_ml - mls : 0;

    if (left <= mls * f->close_ds / 10u) {
      /* what still runs through the closing valve makes it up */
      flags |= FM_BATCH;
      left = 0;
      valve_close(CLOSE_BATCH);
    }
    f->batch_ml = left;
  }

  f->flags = flags;
  fm_display(f->total_l, (f->frac_q32 >> 16) * 1000u >> 16, flags);
  return mls;
}
