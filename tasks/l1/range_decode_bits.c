#include <stdint.h>

#define PROB_BITS	11
#define PROB_ONE	(1u << PROB_BITS)
#define ADAPT_SHIFT	5
#define RANGE_MIN	(1u << 24)
#define MAX_LEVELS	6
#define FOLD_PRIME	16777619u

struct rdec {
	uint32_t range;
	uint32_t code;
	const uint8_t *in;
	uint32_t pos;
	uint32_t len;
	uint32_t missing;	/* bytes asked for behind the end */
	uint32_t direct;	/* plain bits behind each tree symbol, 0..7 */
};

static void rdec_refill(struct rdec *d)
{
	uint32_t byte = 0;

	if (d->range >= RANGE_MIN)
		return;
	if (d->pos < d->len)
		byte = d->in[d->pos++];
	else
		d->missing++;
	d->range <<= 8;
	d->code = d->code << 8 | byte;
}

static unsigned rdec_bit(struct rdec *d, uint16_t *prob)
{
	uint32_t p = *prob;
	uint32_t bound = (d->range >> PROB_BITS) * p;
	unsigned bit;

	if (d->code < bound) {
		d->range = bound;
		p += (PROB_ONE - p) >> ADAPT_SHIFT;
		bit = 0;
	} else {
		d->code -= bound;
		d->range -= bound;
		p -= p >> ADAPT_SHIFT;
		bit = 1;
	}
	*prob = (uint16_t)p;
	rdec_refill(d);
	return bit;
}

/* equiprobable bits, no model */
static uint32_t rdec_plain(struct rdec *d, unsigned count)
{
	uint32_t v = 0;

	while (count--) {
		d->range >>= 1;
		v <<= 1;
		if (d->code >= d->range) {
			d->code -= d->range;
			v |= 1;
		}
		rdec_refill(d);
	}
	return v;
}

/*
 * Integrity pass of the map loader: decodes as the loader does, but only keeps a
 * hash of the symbols. probs[1 << tree_bits] is one context of the model.
 */
unsigned range_decode_bits(struct rdec *d, uint16_t *probs, unsigned count, unsigned tree_bits)
{
	uint32_t hash = 0;

	if (tree_bits == 0 || tree_bits > MAX_LEVELS)
		return 0;

	while (count--) {
		unsigned node = 1;

		for (unsigned level = 0; level < tree_bits; level++)
			node = node << 1 | rdec_bit(d, &probs[node]);
		node -= 1u << tree_bits;
		node = node << (d->direct & 7) | rdec_plain(d, d->direct & 7);
		hash = hash * FOLD_PRIME + node + 1;
	}
	return hash;
}
