#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

/* tickless.c - how long may we sleep? */

struct stimer {
	struct stimer *next;
	uint32_t due, period;
	uint16_t slack, id;
	uint8_t armed;
	void (*cb)(void *, uint32_t);
};

/* the only callback in this image; goes into ->cb at init */
extern void timer_expired_cb(void *ctx, uint32_t late);

#define time_is_past(t, now)	((int32_t)((t) - (now)) <= 0)

uint32_t soft_timer_next_wakeup(struct stimer *head, uint32_t now, uint32_t horizon)
{
	uint32_t lo = 0, hi = 0;	/* window of the group that wakes first, relative */
	bool grouped = false, poll = false;
	struct stimer *t;

	for (t = head; t; t = t->next) {
		uint32_t s, e;

		if (!t->armed)
			continue;

		if (time_is_past(t->due, now)) {
			uint32_t late = now - t->due;

			if (t->cb)
				t->cb(t, late);
			else if (!t->period)
				poll = true;	/* owner looks at ->armed by itself */

			if (!t->period) {
				t->armed = 0;
				continue;
			}
			/* skip what was missed, keep the phase */
			t->due += (late / t->period + 1) * t->period;
		}

		s = t->due - now;
		e = s + t->slack;
		if (s > horizon)
			continue;

		if (!grouped || e < lo) {
			/* cannot wait for the others */
			lo = s;
			hi = e;
			grouped = true;
		} else if (s <= hi) {
			if (s > lo)
				lo = s;
			if (e < hi)
				hi = e;
		}
		/* else: a later wakeup takes care of it */
	}

	if (poll)
		return 0;
	if (!grouped)
		return horizon;
	return lo;		/* all of the group are due then, none is late */
}
