/*
 * Acceptance filtering for the gateway's virtual CAN ports. Keeps the register
 * image of the on-chip controller so that one configuration serves both.
 */
#include <stdint.h>
#include <stdbool.h>

struct can_frame_hdr {
	uint32_t id  : 29;
	uint32_t ide : 1;
	uint32_t rtr : 1;
	uint32_t fdf : 1;
	uint32_t dlc : 4;
};

struct can_bank {
	uint8_t enabled;
	uint8_t mode;		/* 0: id/mask, 1: id list */
	uint8_t scale;		/* 0: 16 bit, 1: 32 bit */
	uint8_t fifo;
	union {
		uint32_t w[2];
		uint16_t h[4];
	} r;
};

#define FR32_IDE	(1u << 2)
#define FR32_RTR	(1u << 1)
#define FR16_RTR	(1u << 4)
#define FR16_IDE	(1u << 3)

int can_filter_match(const struct can_frame_hdr *f, const struct can_bank *banks, unsigned nbanks)
{
	uint32_t id = f->id;
	uint32_t key32, key16;
	unsigned number = 0, i, j;
	int best = -1, best_rank = -1;

	if (f->ide) {
		key32 = (id << 3) | FR32_IDE;
		key16 = ((id >> 18) << 5) | FR16_IDE | ((id >> 15) & 7u);
	} else {
		id &= 0x7FFu;
		key32 = id << 21;
		key16 = id << 5;
	}
	/* FD frames have RRS in place of RTR; it does not take part in filtering */
	if (f->rtr && !f->fdf) {
		key32 |= FR32_RTR;
		key16 |= FR16_RTR;
	}

	for (i = 0; i < nbanks; i++) {
		const struct can_bank *b = &banks[i];
		unsigned list = b->mode & 1u;
		unsigned wide = b->scale & 1u;
		unsigned n = (wide ? 1u : 2u) << list;
		int rank = (int)(list * 2u + wide);

		if (!b->enabled)
			continue;

		/* a later bank only matters if it outranks what we have */
		for (j = 0; rank > best_rank && j < n; j++) {
			bool hit;

			if (wide && list)
				hit = (b->r.w[j] & ~1u) == key32;
			else if (wide)
				hit = ((b->r.w[0] ^ key32) & b->r.w[1] & ~1u) == 0;
			else if (list)
				hit = b->r.h[j] == key16;
			else
				hit = ((b->r.h[2 * j] ^ key16) & b->r.h[2 * j + 1]) == 0;

			if (hit) {
				best = (int)((unsigned)b->fifo << 8 | (number + j));
				best_rank = rank;
			}
		}
		if (best_rank == 3)
			return best;
		number += n;
	}
	return best;
}
