#include <stdint.h>
#include <stdbool.h>

/*
 * Field lists for telemetry frames, for instance "u4,3s12,a,z":
 *
 *   uN sN   unsigned, two's complement       kN   skip N bits
 *   e  g    exp-Golomb, signed exp-Golomb    a    to the next byte boundary
 *   z       length of a NUL-terminated byte string (consumed)
 *   < >     least / most significant bit first from here on
 *
 * A decimal in front repeats. The comma only keeps a width and a repeat apart.
 */

struct bitrd {
	const uint8_t *p;
	uint32_t bit, nbits;
	uint8_t lsb, err;
};

enum bitrd_err { BR_OK, BR_SHORT, BR_SPEC, BR_CODE };

static __attribute__((noinline)) bool get(struct bitrd *r, unsigned n, uint32_t *out)
{
	uint32_t v = 0;

	*out = 0;
	if (r->bit > r->nbits || n > r->nbits - r->bit) {
		r->err = BR_SHORT;
		return false;
	}
	for (unsigned i = 0; i < n; i++, r->bit++) {
		unsigned byte = r->p[r->bit >> 3];

		if (r->lsb)
			v |= (uint32_t)(byte >> (r->bit & 7) & 1) << i;
		else
			v = v << 1 | (byte >> (7 - (r->bit & 7)) & 1);
	}
	*out = v;
	return true;
}

static __attribute__((noinline)) bool golomb(struct bitrd *r, uint32_t *out)
{
	unsigned zeros = 0;
	uint32_t b;

	for (;;) {
		if (!get(r, 1, &b)) {
			*out = 0;
			return false;
		}
		if (b)
			break;
		if (++zeros > 31) {
			r->err = BR_CODE;
			*out = 0;
			return false;
		}
	}
	if (!get(r, zeros, out))
		return false;
	*out += (1u << zeros) - 1;
	return true;
}

static unsigned number(const char **s, unsigned dflt)
{
	unsigned n = 0;

	if (**s < '0' || **s > '9')
		return dflt;
	while (**s >= '0' && **s <= '9' && n < 1000)
		n = n * 10 + (unsigned)(*(*s)++ - '0');
	return n;
}

int bitreader_fields(struct bitrd *r, const char *spec, uint32_t *out, unsigned max)
{
	unsigned stored = 0;

	r->err = BR_OK;
	while (*spec != '\0') {
		unsigned times = number(&spec, 1);
		char op = *spec;
		unsigned width;

		if (op == '\0') {
			r->err = BR_SPEC;
			break;
		}
		spec++;
		width = number(&spec, 0);
		if (op != 'k' && width > 32) {
			r->err = BR_SPEC;
			break;
		}

		while (times-- > 0) {
			uint32_t v = 0, c;
			bool ok;

			if (stored >= max)
				return (int)stored;
			switch (op) {
			case ',':
				continue;
			case '<':
			case '>':
				r->lsb = op == '<';
				continue;
			case 'a':
				r->bit = r->bit >= r->nbits ? r->nbits : (r->bit + 7) & ~7u;
				continue;
			case 'k':
				if (r->bit > r->nbits || width > r->nbits - r->bit) {
					r->err = BR_SHORT;
					return (int)stored;
				}
				r->bit += width;
				continue;
			case 'u':
				ok = get(r, width, &v);
				break;
			case 's':
				ok = get(r, width, &v);
				if (width > 0 && width < 32 && (v >> (width - 1) & 1))
					v |= ~0u << width;
				break;
			case 'e':
				ok = golomb(r, &v);
				break;
			case 'g':
				ok = golomb(r, &v);
				v = (v & 1) ? v / 2 + 1 : 0u - v / 2;
				break;
			case 'z':
				while ((ok = get(r, 8, &c)) && c != 0)
					v++;
				if (!ok)
					v = 0;
				break;
			default:
				r->err = BR_SPEC;
				return (int)stored;
			}

			out[stored++] = v;
			if (!ok)
				return (int)stored;
		}
	}
	return (int)stored;
}
