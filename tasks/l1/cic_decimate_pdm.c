/*
 * PDM microphone front end: 4th order CIC, DC blocker, gain.
 *
 * The integrators run modulo 2^64 on purpose: whatever they overflow is taken
 * out again by the combs.
 */
#include <stdint.h>
#include <stdbool.h>

#define CIC_ORDER       4

#define CIC_LSB_FIRST   0x01u   /* bit 0 of a byte is the oldest */
#define CIC_COMB_TWO    0x02u   /* differential delay of two */
#define CIC_BOXCAR      0x04u   /* low power: plain sum over the period */
#define CIC_AFTER_GAP   0x08u   /* stream was interrupted, cleared here */

#define CIC_MUTE_LEN    8u
#define CIC_LIMIT       ((int64_t)1 << 40)

struct cic {
	uint64_t integ[CIC_ORDER];
	uint64_t comb[CIC_ORDER][2];
	int64_t	 dc_in;
	int64_t	 dc_out;
	uint16_t ratio;
	uint16_t phase;		/* bits taken since the last output */
	uint8_t	 gain_shift;
	uint8_t	 opts;
	uint8_t	 mute;
};

static int16_t finish(struct cic *c, uint64_t word)
{
	int64_t v = (int64_t)word;

	if (v > CIC_LIMIT)
		v = CIC_LIMIT;
	else if (v < -CIC_LIMIT)
		v = -CIC_LIMIT;

	/* y += x - x' - y/256 */
	c->dc_out += v - c->dc_in - c->dc_out / 256;
	c->dc_in = v;

	bool neg = c->dc_out < 0;
	int64_t mag = neg ? -c->dc_out : c->dc_out;
	unsigned sh = c->gain_shift & 31u;

	if (sh != 0)
		mag = (mag + ((int64_t)1 << (sh - 1))) >> sh;

	if (c->mute != 0) {
		c->mute--;
		return 0;
	}
	if (neg)
		return mag > 32768 ? INT16_MIN : (int16_t)-mag;
	return mag > 32767 ? INT16_MAX : (int16_t)mag;
}

unsigned cic_decimate_pdm(struct cic *c, const uint8_t *pdm, unsigned nbytes, int16_t *pcm)
{
	unsigned made = 0;
	const unsigned ratio = c->ratio;

	if (ratio < 16 || ratio > 128 || (ratio & (ratio - 1)) != 0)
		return 0;

	if (c->opts & CIC_AFTER_GAP) {
		c->opts &= (uint8_t)~CIC_AFTER_GAP;
		c->mute = CIC_MUTE_LEN;
	}
	c->phase &= (uint16_t)(ratio - 1);

	if (c->opts & CIC_BOXCAR) {
		c->phase &= (uint16_t)~7u;
		for (unsigned i = 0; i < nbytes; i++) {
			unsigned ones = pdm[i];

			ones = ones - ((ones >> 1) & 0x55u);
			ones = (ones & 0x33u) + ((ones >> 2) & 0x33u);
			ones = (ones + (ones >> 4)) & 0x0Fu;
			c->integ[0] += 2u * (uint64_t)ones - 8u;
			c->phase += 8;
			if (c->phase >= ratio) {
				c->phase = 0;
				pcm[made++] = finish(c, c->integ[0]);
				c->integ[0] = 0;
			}
		}
		return made;
	}

	for (unsigned i = 0; i < nbytes; i++) {
		for (unsigned b = 0; b < 8; b++) {
			unsigned pos = (c->opts & CIC_LSB_FIRST) ? b : 7 - b;

			c->integ[0] += ((pdm[i] >> pos) & 1u) ? 1u : UINT64_MAX;
			c->integ[1] += c->integ[0];
			c->integ[2] += c->integ[1];
			c->integ[3] += c->integ[2];

			if (++c->phase < ratio)
				continue;
			c->phase = 0;

			uint64_t y = c->integ[3];
			for (unsigned k = 0; k < CIC_ORDER; k++) {
				uint64_t old = c->comb[k][(c->opts & CIC_COMB_TWO) ? 1 : 0];

				c->comb[k][1] = c->comb[k][0];
				c->comb[k][0] = y;
				y -= old;
			}
			pcm[made++] = finish(c, y);
		}
	}
	return made;
}
