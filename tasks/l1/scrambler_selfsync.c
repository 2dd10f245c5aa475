/* 64B/66B line code on the backplane link: x^58 + x^39 + 1, payload bits only. */
#include <stdint.h>

typedef struct scr {
	uint64_t state;		/* last 58 line bits, the newest in bit 57 */
	uint8_t  pos;		/* next bit within the block of 66 */
	uint8_t  first;		/* header bit 0 */
	uint8_t  window;	/* headers seen in this window */
	uint8_t  bad;
	uint8_t  locked;
	uint32_t slips;
} scr_t;

#define BLOCK		66
#define WINDOW		64
#define BAD_LIMIT	16
#define TAP39		19	/* 58 - 39 */

static unsigned header(scr_t *s, unsigned second)
{
	unsigned wrong = s->first == second;

	s->pos = 2;
	s->window++;
	s->bad = (uint8_t)(s->bad + wrong);
	if (s->bad >= BAD_LIMIT) {
		/* try one bit further along: this bit may be the first of a header */
		s->locked = 0;
		s->slips++;
		s->window = s->bad = 0;
		s->first = (uint8_t)second;
		s->pos = 1;
	} else if (s->window >= WINDOW) {
		if (s->bad == 0)
			s->locked = 1;
		s->window = s->bad = 0;
	}
	return wrong;
}

unsigned scrambler_selfsync(uint8_t *buf, unsigned nbits, struct scr *s, unsigned descramble)
{
	unsigned i = 0, errors = 0;

	if (s->pos >= BLOCK)
		s->pos = 0;

	while (i < nbits) {
		uint8_t *p = &buf[i / 8];

		if (i % 8 == 0 && nbits - i >= 8 && s->pos >= 2 && s->pos <= BLOCK - 8) {
			uint8_t in = *p;
			uint8_t out = (uint8_t)(in ^ s->state ^ (s->state >> TAP39));
			uint8_t line = descramble ? in : out;

			s->state = (s->state >> 8) | (uint64_t)line << 50;
			*p = out;
			s->pos = (uint8_t)(s->pos + 8);
			i += 8;
		} else {
			unsigned bit = *p >> (i % 8) & 1;

			if (s->pos == 0) {
				s->first = (uint8_t)bit;
				s->pos = 1;
			} else if (s->pos == 1) {
				errors += header(s, bit);
			} else {
				unsigned out = bit ^ (unsigned)((s->state ^ (s->state >> TAP39)) & 1);

				s->state = s->state >> 1 | (uint64_t)(descramble ? bit : out) << 57;
				*p = (uint8_t)((*p & ~(1u << (i % 8))) | out << (i % 8));
				s->pos++;
			}
			i++;
		}
		if (s->pos == BLOCK)
			s->pos = 0;
	}
	return errors;
}
