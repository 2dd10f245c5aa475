#include <stdbool.h>
#include <stdint.h>

#define NSLOT    12
#define NBUCKET  16
#define NONE     0xFFu

typedef uint8_t slot_t;

struct lru_slot {
	uint32_t tag;
	slot_t   prev;		/* towards the front */
	slot_t   next;		/* towards the back */
	slot_t   chain;		/* next of the same bucket */
	uint8_t  pins;
	bool     valid;
	bool     dirty;		/* never without valid */
};

struct lru {
	slot_t front;
	slot_t back;
	slot_t bucket[NBUCKET];
	struct lru_slot slot[NSLOT];
	struct {
		uint32_t hits;
		uint32_t misses;
		uint16_t writebacks;
		uint16_t io_errors;
	} stat;
};

extern int blk_load(uint32_t tag, unsigned slot);
extern int blk_store(uint32_t tag, unsigned slot);

static inline unsigned hash(uint32_t tag)
{
	return (tag ^ (tag >> 4)) & (NBUCKET - 1);
}

static void list_del(struct lru *c, slot_t s)
{
	struct lru_slot *e = &c->slot[s];

	if (e->prev == NONE)
		c->front = e->next;
	else
		c->slot[e->prev].next = e->next;
	if (e->next == NONE)
		c->back = e->prev;
	else
		c->slot[e->next].prev = e->prev;
}

static void list_add_front(struct lru *c, slot_t s)
{
	c->slot[s].prev = NONE;
	c->slot[s].next = c->front;
	if (c->front == NONE)
		c->back = s;
	else
		c->slot[c->front].prev = s;
	c->front = s;
}

static void list_add_back(struct lru *c, slot_t s)
{
	c->slot[s].next = NONE;
	c->slot[s].prev = c->back;
	if (c->back == NONE)
		c->front = s;
	else
		c->slot[c->back].next = s;
	c->back = s;
}

int lru_cache_touch(struct lru *c, uint32_t tag, unsigned write)
{
	const unsigned b = hash(tag);
	slot_t s, victim = NONE;
	unsigned n;

	for (s = c->bucket[b]; s != NONE; s = c->slot[s].chain) {
		if (c->slot[s].tag != tag)
			continue;
		c->stat.hits++;
		if (write)
			c->slot[s].dirty = true;
		if (s != c->front) {
			list_del(c, s);
			list_add_front(c, s);
		}
		return s;
	}
	c->stat.misses++;

	/* something near the back that costs no write? */
	for (s = c->back, n = 0; s != NONE && n < 3; s = c->slot[s].prev, n++) {
		if (!c->slot[s].pins && !c->slot[s].dirty) {
			victim = s;
			break;
		}
	}

	for (s = c->back; victim == NONE && s != NONE; s = c->slot[s].prev) {
		struct lru_slot *e = &c->slot[s];

		if (e->pins)
			continue;
		if (e->dirty) {
			if (blk_store(e->tag, s) != 0) {
				c->stat.io_errors++;
				continue;
			}
			c->stat.writebacks++;
			e->dirty = false;
		}
		victim = s;
	}
	if (victim == NONE)
		return -1;

	struct lru_slot *v = &c->slot[victim];
	list_del(c, victim);
	if (v->valid) {
		slot_t *link = &c->bucket[hash(v->tag)];
		while (*link != victim)
			link = &c->slot[*link].chain;
		*link = v->chain;
		v->valid = false;
	}

	if (blk_load(tag, victim) != 0) {
		c->stat.io_errors++;
		list_add_back(c, victim);
		return -1;
	}
	v->tag = tag;
	v->valid = true;
	v->dirty = write != 0;
	v->chain = c->bucket[b];
	c->bucket[b] = victim;
	list_add_front(c, victim);
	return victim;
}
