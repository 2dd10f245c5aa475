#include <stdint.h>

/* 8 kHz, 205 samples: bins are wide enough for the 1.5 % tolerance of the handsets. */
enum { BLOCK = 205, ROWS = 4, TONES = 8 };

enum dtmf_state { DTMF_BLANK, DTMF_SEEN, DTMF_HELD };

struct dtmf {
	float           s1[TONES];
	float           s2[TONES];
	float           energy;
	uint16_t        fill;
	enum dtmf_state state;
	uint8_t         candidate;
	uint8_t         keys;           /* keys reported since start, wraps */
};

/* 2*cos(2*pi*f/8000): 697 770 852 941 | 1209 1336 1477 1633 */
static const float twoCos[TONES] = {
	1.7077380f, 1.6452810f, 1.5686869f, 1.4782046f,
	1.1641041f, 0.9963702f, 0.7986184f, 0.5685327f,
};

static const char keypad[] = "123A456B789C*0#D";

static const float TWIST_FWD = 2.511886f;	/* column 4 dB over row */
static const float TWIST_REV = 6.309573f;	/* row 8 dB over column */
static const float DOMINANCE = 5.0f;
static const float TONE_PART = 0.28f;
static const float MIN_POWER = 2.0e7f;

static unsigned strongest(const float *p, float *best, float *second)
{
	unsigned at = 0;

	*best = p[0];
	*second = 0.0f;
	for (unsigned k = 1; k < ROWS; k++) {
		if (p[k] > *best) {
			*second = *best;
			*best = p[k];
			at = k;
		} else if (p[k] > *second) {
			*second = p[k];
		}
	}
	return at;
}

static uint8_t classify(const struct dtmf *d)
{
	float power[TONES], row, row2, col, col2;

	for (unsigned k = 0; k < TONES; k++)
		power[k] = d->s1[k] * d->s1[k] + d->s2[k] * d->s2[k]
			 - twoCos[k] * d->s1[k] * d->s2[k];

	unsigned r = strongest(power, &row, &row2);
	unsigned c = strongest(power + ROWS, &col, &col2);

	if (row < MIN_POWER || col < MIN_POWER)
		return 0;
	if (col > row * TWIST_FWD || row > col * TWIST_REV)
		return 0;
	if (row < row2 * DOMINANCE || col < col2 * DOMINANCE)
		return 0;
	if (row + col < TONE_PART * (float)BLOCK * d->energy)
		return 0;
	return (uint8_t)keypad[r * 4 + c];
}

int dtmf_goertzel_block(struct dtmf *d, const int16_t *pcm, unsigned n)
{
	int reported = 0;

	if (d->fill >= BLOCK)
		d->fill = 0;

	for (unsigned i = 0; i < n; i++) {
		float x = (float)pcm[i];

		for (unsigned k = 0; k < TONES; k++) {
			float s0 = x + twoCos[k] * d->s1[k] - d->s2[k];
			d->s2[k] = d->s1[k];
			d->s1[k] = s0;
		}
		d->energy += x * x;
		if (++d->fill < BLOCK)
			continue;

		uint8_t key = classify(d);

		switch (d->state) {
		case DTMF_BLANK:
			if (key) {
				d->candidate = key;
				d->state = DTMF_SEEN;
			}
			break;
		case DTMF_SEEN:
			if (!key) {
				d->state = DTMF_BLANK;
			} else if (key == d->candidate) {
				d->state = DTMF_HELD;
				d->keys++;
				reported = key;
			} else {
				d->candidate = key;
			}
			break;
		default:
			/* held: the finger is still down; another key needs a pause first */
			if (!key)
				d->state = DTMF_BLANK;
			break;
		}

		for (unsigned k = 0; k < TONES; k++) {
			d->s1[k] = 0.0f;
			d->s2[k] = 0.0f;
		}
		d->energy = 0.0f;
		d->fill = 0;
	}
	return reported;
}
