/* I2t image of the pump motor: winding (seconds) and case (minutes). */
#include <stdint.h>

struct i2t
{
   uint64_t winding;        /* mA^2 * ms */
   uint64_t casing;         /* mA^2 * ms */
   uint32_t tau_w;          /* ms */
   uint32_t tau_c;          /* ms */
   uint32_t rest_ms;        /* time without load since the trip */
   uint32_t min_rest_ms;
   uint16_t rated_ma;
   uint16_t peak_ma;
   uint8_t  tripped;
   uint8_t  warned;         /* warning steps given, 0 = none */
   uint8_t  standstill;     /* the fan sits on the shaft */
   uint8_t  trips;
};

extern void motor_trip(unsigned cause, uint32_t level);
extern void motor_warn(unsigned percent);

/* Percent of the rated heat that is left, by ambient temperature */
static const struct { int8_t upTo; uint8_t percent; } derating[5] =
{
   { 25, 100 }, { 40, 92 }, { 55, 78 }, { 70, 55 }, { 85, 30 }
};

#define LEVEL_CAP  1000u

static uint32_t percentOf(uint64_t heat, uint64_t full)
{
   uint64_t p = heat / (full / 100u + 1u);

   return p > LEVEL_CAP ? LEVEL_CAP : (uint32_t)p;
}

uint16_t motor_i2t_protect(struct i2t *t, int16_t current_ma, uint16_t dt_ms, int8_t ambient)
{
   const uint32_t rated = t->rated_ma < 100u ? 100u : t->rated_ma;
   const uint32_t tauW  = t->tau_w != 0u ? t->tau_w : 1u;
   const uint32_t tauC  = t->tau_c != 0u ? t->tau_c : 1u;
   const uint32_t mag   = current_ma < 0 ? (uint32_t)-(int32_t)current_ma : (uint32_t)current_ma;
   uint32_t share = 15u;
   uint64_t flow, lost;

   for (unsigned k = 0; k < 5u; k++)
   {
      if (ambient <= derating[k].upTo)
      {
         share = derating[k].percent;
         break;
      }
   }

   /* copper loss into the winding, winding into the case, case into the air */
   t->winding += (uint64_t)mag * mag * dt_ms;
   flow = t->winding / tauW * dt_ms;
   if (flow > t->winding)
      flow = t->winding;
   t->winding -= flow;
   t->casing += flow;
   lost = t->casing / tauC * dt_ms;
   if (t->standstill != 0u)
      lost /= 2u;
   if (lost > t->casing)
      lost = t->casing;
   t->casing -= lost;

   const uint64_t rated2 = (uint64_t)rated * rated * share / 100u;
   const uint32_t levelW = percentOf(t->winding, rated2 * tauW);
   const uint32_t levelC = percentOf(t->casing, rated2 * tauC);
   const uint32_t level  = levelW > levelC ? levelW : levelC;

   if (t->tripped != 0u)
   {
      if (mag > rated / 8u)
         t->rest_ms = 0u;
      else if (t->rest_ms < UINT32_MAX - dt_ms)
         t->rest_ms += dt_ms;

      if (level >= 60u || t->rest_ms < t->min_rest_ms)
         return 0u;
      t->tripped = 0u;
      t->warned  = 0u;
   }

   if (level >= 100u)
   {
      t->tripped = 1u;
      t->rest_ms = 0u;
      if (t->trips < 255u)
         t->trips++;
      motor_trip(levelW >= 100u ? (levelC >= 100u ? 3u : 1u) : 2u, level);
      return 0u;
   }

   if (level < 80u)
   {
      if (level < 75u)
         t->warned = 0u;
      return t->peak_ma;
   }

   const uint8_t step = (uint8_t)((level - 80u) / 5u + 1u);
   if (step > t->warned)
   {
      t->warned = step;
      motor_warn(75u + 5u * step);
   }
   return (uint16_t)((uint32_t)t->peak_ma * (100u - level) / 20u);
}
