/* Tap / double tap / drop detection for the wristband, called at 400 Hz. */
#include <stdint.h>

enum tap_event { TAP_NONE, TAP_SINGLE, TAP_DOUBLE, TAP_FREEFALL };

struct xyz16 { int16_t x, y, z; };

enum { PH_IDLE, PH_SHOCK, PH_QUIET, PH_WINDOW };

#define FLAG_REVERSED 0x01 /* second tap came from the other side */
#define FLAG_DROPPED  0x80

struct tap_state {
	struct xyz16 prev;
	uint16_t tick;
	uint16_t since; /* tick of the last change of phase */
	uint16_t thr;
	uint16_t shock, quiet, window; /* in ticks */
	uint16_t ff_thr;
	uint8_t ff_len, ff_cnt;
	uint8_t phase;
	uint8_t axis;
	int8_t sign;
	uint8_t flags;
};

static inline int32_t mag(int32_t v) { return v < 0 ? -v : v; }

enum tap_event accel_tap_detect(struct tap_state *t, struct xyz16 a)
{
	const int32_t d[3] = { a.x - t->prev.x, a.y - t->prev.y, a.z - t->prev.z };
	int32_t peak = t->thr;
	int hit = -1;
	int8_t sign = 0;
	uint16_t age;

	t->prev.x = a.x;
	t->prev.y = a.y;
	t->prev.z = a.z;
	t->tick++;
	age = (uint16_t)(t->tick - t->since);

	/* weightless? */
	if (mag(a.x) + mag(a.y) + mag(a.z) < t->ff_thr) {
		if (t->ff_cnt < UINT8_MAX)
			t->ff_cnt++;
		if (t->ff_cnt == t->ff_len) {
			t->flags |= FLAG_DROPPED;
			t->phase = PH_IDLE;
			return TAP_FREEFALL;
		}
	} else {
		t->ff_cnt = 0;
	}

	for (int i = 0; i < 3; i++) {
		if (mag(d[i]) > peak) {
			peak = mag(d[i]);
			hit = i;
			sign = d[i] < 0 ? -1 : 1;
		}
	}

	switch (t->phase & 3) {
	case PH_IDLE:
		if (hit >= 0)
			goto start;
		break;

	case PH_SHOCK:
		if (hit < 0) {
			t->phase = PH_QUIET;
			t->since = t->tick;
		} else if (age > t->shock) {
			t->phase = PH_IDLE; /* shaking, not tapping */
		}
		break;

	case PH_QUIET: /* ringing of the case is ignored here */
		if (age >= t->quiet) {
			t->phase = PH_WINDOW;
			t->since = t->tick;
		}
		break;

	default: /* PH_WINDOW */
		if (hit >= 0 && hit == t->axis) {
			t->phase = PH_IDLE;
			if (sign != t->sign)
				t->flags |= FLAG_REVERSED;
			else
				t->flags &= (uint8_t)~FLAG_REVERSED;
			return TAP_DOUBLE;
		}
		if (hit >= 0) {
			t->phase = PH_SHOCK;
			t->since = t->tick;
			t->axis = (uint8_t)hit;
			t->sign = sign;
			return TAP_SINGLE; /* and the other axis begins a new one */
		}
		if (age > t->window) {
			t->phase = PH_IDLE;
			return TAP_SINGLE;
		}
		break;
	}
	return TAP_NONE;

start:
	t->phase = PH_SHOCK;
	t->since = t->tick;
	t->axis = (uint8_t)hit;
	t->sign = sign;
	return TAP_NONE;
}
