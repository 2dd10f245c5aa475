// Layer mixer of the lightmap baker: dst += (src - dst) * w / 128.
// 128 is a plain copy, weights above it push past the source ("overdrive").
#include <stdint.h>

typedef uint16_t half;

union fbits { float f; uint32_t u; };

static const half kHalfInf = 0x7C00;
static const half kHalfNaN = 0x7E00;

static inline unsigned magnitude(half h) { return h & 0x7FFFu; }

// not for infinities and NaNs
static float widen(half h)
{
	union fbits x;
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
	uint32_t exponent = h >> 10 & 31u;
	uint32_t fraction = h & 0x3FFu;

	if (exponent == 0) {
		if (fraction == 0) {
			x.u = sign;
			return x.f;
		}
		exponent = 1;
		while (!(fraction & 0x400u)) {
			fraction <<= 1;
			exponent--;             // wraps below zero, the bias makes up for it
		}
		fraction &= 0x3FFu;
	}
	x.u = sign | (exponent + 112u) << 23 | fraction << 13;
	return x.f;
}

static half narrow(float f)
{
	union fbits x = { .f = f };
	half sign = (half)(x.u >> 16 & 0x8000u);
	int exponent = (int)(x.u >> 23 & 255u) - 112;
	uint32_t m = (x.u & 0x7FFFFFu) | 0x800000u;
	unsigned drop = 13;
	uint32_t q, rest, tie;

	if (exponent >= 31)
		return sign | kHalfInf;
	if (exponent <= 0) {
		if (exponent < -10)
			return sign;
		drop = (unsigned)(14 - exponent);
		exponent = 1;                   // same weight of the last place, implicit bit or not
	}
	q = m >> drop;
	rest = m & ((1u << drop) - 1u);
	tie = 1u << (drop - 1);
	if (rest > tie || (rest == tie && (q & 1u)))
		q++;
	return (half)(sign | (((uint32_t)(exponent - 1) << 10) + q));
}

unsigned half_float_blend(uint16_t *dst, const uint16_t *src, const uint8_t *weight, unsigned n)
{
	unsigned overflows = 0, nans = 0;

	for (unsigned i = 0; i < n; i++) {
		const half d = dst[i], s = src[i];
		const unsigned w = weight[i];

		if (d == s)
			continue;
		if (magnitude(d) > kHalfInf || magnitude(s) > kHalfInf) {
			dst[i] = (half)((d & 0x8000u) | kHalfNaN);
			nans++;
			continue;
		}
		if (w == 0)
			continue;
		if (w == 128) {
			dst[i] = s;
			continue;
		}
		if (magnitude(s) == kHalfInf) {
			if (magnitude(d) == kHalfInf) {         // of unlike sign, else they were equal
				dst[i] = (half)((d & 0x8000u) | kHalfNaN);
				nans++;
			} else {
				dst[i] = s;
			}
			continue;
		}
		if (magnitude(d) == kHalfInf)
			continue;

		float fd = widen(d);
		half r = narrow(fd + (widen(s) - fd) * (float)w / 128.0f);
		if (magnitude(r) == kHalfInf)
			overflows++;
		dst[i] = r;
	}
	return (nans & 0xFFFFu) << 16 | (overflows & 0xFFFFu);
}
