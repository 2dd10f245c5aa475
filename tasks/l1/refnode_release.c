#include <stdint.h>

#define NODES        32u
#define NO_NODE      0xffu
#define REFS_STICKY  4095u   /* saturated, lives for ever */
#define KIND_FREE    0u
#define KIND_TOMB    7u
#define MAX_DEPTH    8u

struct refnode {
	uint16_t refs:12, kind:3, weak:1;
	int8_t child[3];
	uint8_t next;
};

struct refpool {
	struct refnode node[NODES];
	uint8_t free_list;
	uint8_t deferred;
	uint8_t depth;
	uint8_t errors;
};

extern void node_finalise(unsigned idx, unsigned kind);

unsigned refnode_release(struct refpool *p, unsigned idx);

/* The last reference to a node is gone. */
static unsigned
bury(struct refpool *p, unsigned idx)
{
	struct refnode *n = &p->node[idx];
	unsigned freed = 0;

	if (n->kind >= 2)
		node_finalise(idx, n->kind);

	p->depth++;
	for (unsigned i = 0; i < 3; i++) {
		int c = n->child[i];

		n->child[i] = -1;
		if (c >= 0)
			freed += refnode_release(p, (unsigned)c);
	}
	p->depth--;

	if (n->weak) {
		/* weak handles still look at it */
		n->kind = KIND_TOMB;
		return freed;
	}
	n->kind = KIND_FREE;
	n->next = p->free_list;
	p->free_list = (uint8_t)idx;
	return freed + 1;
}

static void
complain(struct refpool *p)
{
	if (p->errors < 255)
		p->errors++;
}

unsigned
refnode_release(struct refpool *p, unsigned idx)
{
	struct refnode *n;
	unsigned freed;

	if (idx >= NODES || p->node[idx].refs == 0) {
		complain(p);
		return 0;
	}
	n = &p->node[idx];
	if (n->refs == REFS_STICKY)
		return 0;
	if (--n->refs != 0)
		return 0;

	if (p->depth > MAX_DEPTH) {
		n->next = p->deferred;
		p->deferred = (uint8_t)idx;
		return 0;
	}

	freed = bury(p, idx);
	while (p->depth == 0 && p->deferred < NODES) {
		unsigned d = p->deferred;

		p->deferred = p->node[d].next;
		freed += bury(p, d);
	}
	return freed;
}
