#include <stdint.h>

/* Linear ramp after the well known series c(n) = c(n-1) - 2 c(n-1) / (4n + 1). */

enum { ST_STOP = 0, ST_ACCEL = 1, ST_CRUISE = 2, ST_DECEL = 3 };

#define PORT_STEP_PULSE  (1u << 0)
#define PORT_STEP_BACK   (1u << 1)
#define PORT_STEP_ENABLE (1u << 7)
#define C_SLOWEST        0x01000000

struct stepper {
	int32_t  pos;		/* microsteps */
	int32_t  target;
	int32_t  n;		/* ramp index, negative while slowing down */
	int32_t  c;		/* timer ticks, 24.8 */
	int32_t  rest;
	int32_t  c_first;	/* interval of the first step */
	int32_t  c_min;
	uint32_t left;		/* steps to go, backlash not counted */
	uint32_t slow_at;	/* start of deceleration, counted in left */
	int8_t   dir;		/* +1, -1 */
	uint8_t  phase;
	uint8_t  backlash;
	uint8_t  slack;		/* backlash steps still to be played */
};

extern volatile int32_t  STEP_TARGET;
extern volatile uint8_t  STEP_NEW;
extern volatile uint32_t PORT_STEP;

static void plan(struct stepper *s, uint32_t way)
{
	s->left = way;
	s->slow_at = way / 2;
}

uint32_t stepper_ramp_isr(struct stepper *s)
{
	int64_t way;

	if (STEP_NEW) {
		s->target = STEP_TARGET;
		STEP_NEW = 0;
		if (s->phase != ST_STOP) {
			/* steps needed to stop from here */
			int32_t need = s->n < 0 ? -s->n : s->n;

			way = (int64_t)s->target - s->pos;
			if (s->dir < 0)
				way = -way;
			if (way > need && s->n >= 0) {
				s->left = (uint32_t)way;
				s->slow_at = (uint32_t)need;
				if (s->phase == ST_ACCEL && s->left / 2 > s->slow_at)
					s->slow_at = s->left / 2;
			} else {
				/* behind us or too near: stop first, the rest is a move of its own */
				s->left = (uint32_t)need;
				s->slow_at = s->left;
			}
		}
	}

	if (s->phase == ST_STOP || s->phase > ST_DECEL) {
		int8_t dir;

		way = (int64_t)s->target - s->pos;
		if (way == 0) {
			s->phase = ST_STOP;
			PORT_STEP &= ~(uint32_t)(PORT_STEP_PULSE | PORT_STEP_ENABLE);
			return 0;
		}
		dir = way < 0 ? -1 : 1;
		if (dir != s->dir)
			s->slack = s->backlash;
		s->dir = dir;
		plan(s, (uint32_t)(way < 0 ? -way : way));
		s->n = 0;
		s->rest = 0;
		s->c = s->c_first;
		s->phase = ST_ACCEL;
	}

	PORT_STEP = PORT_STEP_ENABLE | PORT_STEP_PULSE |
		    (s->dir < 0 ? PORT_STEP_BACK : 0u) |
		    (((uint32_t)s->pos & 0x1Fu) << 8);

	if (s->slack) {
		s->slack--;
		return (uint32_t)s->c_first >> 8;
	}

	s->pos += s->dir;
	if (s->left)
		s->left--;
	if (s->left == 0) {
		s->phase = ST_STOP;
		s->n = 0;
		return (uint32_t)s->c >> 8;
	}

	if (s->phase != ST_DECEL && s->left <= s->slow_at) {
		s->phase = ST_DECEL;
		if (s->n > 0)
			s->n = -s->n;
	}

	if (s->phase == ST_ACCEL) {
		s->n++;
	} else if (s->phase == ST_DECEL) {
		if (s->n < -1)
			s->n++;
		else
			s->n = -1;
	}

	if (s->phase != ST_CRUISE) {
		int64_t num = 2 * (int64_t)s->c + s->rest;
		int64_t den = 4 * (int64_t)s->n + 1;
		int64_t c = s->c - num / den;

		s->rest = (int32_t)(num % den);
		if (c > C_SLOWEST) {
			c = C_SLOWEST;
			s->rest = 0;
		}
		if (c <= s->c_min) {
			c = s->c_min;
			s->rest = 0;
			if (s->phase == ST_ACCEL) {
				s->phase = ST_CRUISE;
				s->slow_at = (uint32_t)s->n;
			}
		}
		s->c = (int32_t)c;
	}
	return ((uint32_t)s->c + 0x80u) >> 8;
}
