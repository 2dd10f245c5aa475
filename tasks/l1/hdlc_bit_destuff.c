/*
 * Software receiver for the bit-synchronous service line.  The line is sampled
 * by a shift register, so we get whole bytes, first bit on the line lowest.
 */
#include <stdint.h>

#define FRAME_MAX  80
#define FRAME_MIN  4	/* address, control, two check bytes */
#define FLAG_BITS  7u	/* of a flag, what is in the frame before its last zero */

struct hdlc_rx {
	uint8_t ones:3;		/* ones in a row, sticks at 7 */
	uint8_t in_frame:1;
	uint8_t aborted:1;
	uint8_t nbit:3;		/* bits in cur, from the top down */
	uint8_t cur;
	uint16_t len;
	uint8_t frame[FRAME_MAX];
	uint16_t last_len;	/* of the frame closed last */
	uint16_t good, aborts, runts, unaligned;
};

static void give_up(struct hdlc_rx *h)
{
	h->in_frame = 0;
	h->aborted = 1;
	h->len = 0;
	h->nbit = 0;
	h->aborts++;
}

/* 1 if a frame was completed by the flag that ends here */
static int flag_seen(struct hdlc_rx *h)
{
	unsigned bits = h->len * 8u + h->nbit;
	int closed = 0;

	/* Fewer bits than that: the zero is shared with the flag before. */
	if (h->in_frame && bits > FLAG_BITS) {
		bits -= FLAG_BITS;
		if (bits & 7u) {
			h->unaligned++;
		} else if (bits < FRAME_MIN * 8u) {
			h->runts++;
		} else {
			h->last_len = (uint16_t)(bits >> 3);
			h->good++;
			closed = 1;
		}
	}
	h->in_frame = 1;
	h->aborted = 0;
	h->len = 0;
	h->nbit = 0;
	return closed;
}

static void shift_in(struct hdlc_rx *h, unsigned bit)
{
	h->cur = (uint8_t)(h->cur >> 1 | bit << 7);
	if (h->nbit < 7) {
		h->nbit++;
		return;
	}
	h->nbit = 0;
	if (h->len >= FRAME_MAX) {
		give_up(h);
		return;
	}
	h->frame[h->len++] = h->cur;
}

int hdlc_bit_destuff(struct hdlc_rx *h, const uint8_t *line, unsigned nbytes)
{
	int closed = 0;
	unsigned i, k;

	for (i = 0; i < nbytes; i++) {
		unsigned in = line[i];

		for (k = 0; k < 8; k++, in >>= 1) {
			if (in & 1u) {
				if (h->ones == 7)
					continue;
				h->ones++;
				if (h->ones == 7) {
					if (h->in_frame)
						give_up(h);
				} else if (h->in_frame) {
					shift_in(h, 1);
				}
				continue;
			}

			if (h->ones == 6)
				closed += flag_seen(h);
			else if (h->ones != 5 && h->in_frame)
				shift_in(h, 0);
			h->ones = 0;
		}
	}
	return closed;
}
