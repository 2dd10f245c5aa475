#include <stdint.h>

/*
 * Hierarchical timer wheel: 32 slots of one tick, 16 of 32 ticks and 16 of
 * 512.  Whatever is due later waits in the last slot of the upper wheel and
 * is sorted in again when its turn comes.
 */

#define TW_NONE    0xff
#define TW_TIMERS  40
#define TW_BURST   64

enum tw_state { TW_FREE, TW_ARMED, TW_CANCELLED };

struct twtimer {
	uint32_t due;
	uint16_t period;		/* 0: one shot */
	uint8_t  next;
	uint8_t  state;
};

struct twheel {
	uint32_t time;			/* last tick that was handled */
	uint32_t occupied[3];
	uint8_t  slot[3][32];		/* the upper levels use 16 */
	uint8_t  free;
	struct twtimer timer[TW_TIMERS];
	void   (*fire)(unsigned timer, uint32_t lag);
};

extern void wheel_fire(unsigned timer, uint32_t lag);

static void tw_place(struct twheel *w, unsigned id)
{
	struct twtimer *t = &w->timer[id];
	uint32_t left = t->due - w->time;
	unsigned level, slot;

	if (left < 32) {
		level = 0;
		slot = t->due & 31;
	} else if (left < 512) {
		level = 1;
		slot = (t->due >> 5) & 15;
	} else {
		level = 2;
		slot = (left < 8192 ? t->due >> 9 : (w->time >> 9) + 15) & 15;
	}
	t->next = w->occupied[level] >> slot & 1 ? w->slot[level][slot] : TW_NONE;
	w->slot[level][slot] = (uint8_t)id;
	w->occupied[level] |= 1u << slot;
}

static unsigned tw_detach(struct twheel *w, unsigned level, unsigned slot)
{
	if (!(w->occupied[level] >> slot & 1))
		return TW_NONE;
	w->occupied[level] &= ~(1u << slot);
	return w->slot[level][slot];
}

static void tw_cascade(struct twheel *w, unsigned level, unsigned slot)
{
	unsigned id = tw_detach(w, level, slot);

	while (id != TW_NONE) {
		unsigned next = w->timer[id].next;
		tw_place(w, id);
		id = next;
	}
}

unsigned timer_wheel_advance(struct twheel *w, uint32_t now)
{
	uint32_t ahead = now - w->time;
	uint32_t budget;

	if (ahead == 0 || ahead > INT32_MAX)
		return 0;
	budget = ahead < TW_BURST ? ahead : TW_BURST;
	ahead -= budget;

	while (budget > 0) {
		uint32_t gap = 31 - (w->time & 31);	/* ticks before the next cascade */

		if (w->occupied[0] == 0 && gap > 0) {
			if (gap > budget)
				gap = budget;
			w->time += gap;
			budget -= gap;
			continue;
		}

		w->time++;
		budget--;
		if ((w->time & 31) == 0) {
			if ((w->time & 511) == 0)
				tw_cascade(w, 2, (w->time >> 9) & 15);
			tw_cascade(w, 1, (w->time >> 5) & 15);
		}

		unsigned id = tw_detach(w, 0, w->time & 31);
		while (id != TW_NONE) {
			struct twtimer *t = &w->timer[id];
			unsigned next = t->next;

			if (t->state == TW_ARMED && w->fire)
				w->fire(id, now - t->due);
			if (t->state == TW_ARMED && t->period != 0) {
				t->due += t->period;
				tw_place(w, id);
			} else {
				t->state = TW_FREE;
				t->next = w->free;
				w->free = (uint8_t)id;
			}
			id = next;
		}
	}
	return ahead;
}
