/*
 * Axis interpolator: jerk limited point to point moves.
 * The target may move at any time, so nothing is planned ahead; every cycle
 * asks only whether the axis could still stop in front of the target.
 */
#include <stdint.h>

enum move_phase
{
  MOVE_IDLE,
  MOVE_JERK_UP,
  MOVE_HOLD,
  MOVE_JERK_DOWN,
  MOVE_BRAKE
};

struct scurve
{
  double pos, vel, acc;
  double target;
  double soft_lo, soft_hi;
  double v_max, a_max, j_max;
  double feed;            /* override in effect */
  double feed_set;        /* override wanted, 0 .. 1.5 */
  double increment;       /* encoder resolution */
  enum move_phase phase;
  uint32_t reversals;
};

#define FEED_SLOPE 2.0    /* full override in half a second */

static double
approach (double from, double to, double step)
{
  if (from < to)
    return to - from > step ? from + step : to;
  return from - to > step ? from - step : to;
}

enum move_phase
scurve_profile_step (struct scurve *s, double dt)
{
  if (!(dt > 0.0))
    return MOVE_HOLD;

  if (s->target < s->soft_lo)
    s->target = s->soft_lo;
  else if (s->target > s->soft_hi)
    s->target = s->soft_hi;

  double set = s->feed_set;
  if (set < 0.0)
    set = 0.0;
  else if (set > 1.5)
    set = 1.5;
  s->feed = approach (s->feed, set, FEED_SLOPE * dt);

  /* From here on positive means towards the target.  */
  double sign = s->target >= s->pos ? 1.0 : -1.0;
  double d = (s->target - s->pos) * sign;
  double v = s->vel * sign;
  double a = s->acc * sign;
  double v_lim = s->v_max * s->feed;
  double speed = v < 0.0 ? -v : v;

  if (d <= s->increment && speed * dt <= s->increment)
    {
      s->pos = s->target;
      s->vel = 0.0;
      s->acc = 0.0;
      s->phase = MOVE_IDLE;
      return MOVE_IDLE;
    }

  /* Way to a standstill: run down the acceleration, then brake.  */
  double v1 = v;
  double stop = 0.0;
  if (a > 0.0)
    {
      double j = s->j_max;
      v1 = v + a * a / (2.0 * j);
      stop = v * a / j + a * a * a / (3.0 * j * j);
    }
  if (v1 > 0.0)
    stop += 0.5 * v1 * (v1 / s->a_max + s->a_max / s->j_max);

  enum move_phase phase;
  if (v < 0.0)
    phase = MOVE_JERK_UP;
  else if (stop >= d)
    phase = MOVE_BRAKE;
  else if (v1 >= v_lim)
    phase = MOVE_JERK_DOWN;
  else if (a < s->a_max)
    phase = MOVE_JERK_UP;
  else
    phase = MOVE_HOLD;

  double dj = s->j_max * dt;
  switch (phase)
    {
    case MOVE_JERK_UP:
      a = approach (a, s->a_max, dj);
      break;
    case MOVE_BRAKE:
      a = approach (a, -s->a_max, dj);
      break;
    case MOVE_JERK_DOWN:
      a = approach (a, v > v_lim ? -s->a_max : 0.0, dj);
      break;
    default:
      a = s->a_max;
      break;
    }

  double v_new = v + a * dt;
  if (phase == MOVE_JERK_DOWN && v_new < v_lim && v > v_lim)
    {
      v_new = v_lim;
      a = 0.0;
    }
  if (v_new < 0.0 && v >= 0.0)
    {
      /* never back out of a brake, creep in with the next cycle */
      v_new = 0.0;
      a = 0.0;
    }

  double step = 0.5 * (v + v_new) * dt;
  if (step > d + s->increment)
    s->reversals++;

  s->pos += step * sign;
  s->vel = v_new * sign;
  s->acc = a * sign;
  s->phase = phase;
  return phase;
}
