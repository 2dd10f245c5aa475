#include <stdint.h>
#include <stdbool.h>
#include <float.h>

/* policy */
#define NO_INTEGERS	(1u << 0)
#define ROUND_SINGLE	(1u << 1)
#define NONFINITE_NIL	(1u << 2)
#define DECIMAL_EXT	(1u << 3)

static void be(uint8_t *w, uint64_t v, unsigned bytes)
{
	while (bytes--)
		*w++ = (uint8_t)(v >> (8 * bytes));
}

/* Marks how many bytes an integer takes, its first byte and what follows it. */
static unsigned integer_form(double v, uint8_t *first, uint64_t *rest)
{
	if (v < 0) {
		int64_t i = (int64_t)v;

		*rest = (uint64_t)i;
		if (i >= -32) {
			*first = (uint8_t)i;
			return 1;
		}
		if (i >= INT8_MIN) {
			*first = 0xd0;
			return 2;
		}
		if (i >= INT16_MIN) {
			*first = 0xd1;
			return 3;
		}
		if (i >= INT32_MIN) {
			*first = 0xd2;
			return 5;
		}
		*first = 0xd3;
		return 9;
	}

	uint64_t u = (uint64_t)v;

	*rest = u;
	if (u < 128) {
		*first = (uint8_t)u;
		return 1;
	}
	if (u <= UINT8_MAX) {
		*first = 0xcc;
		return 2;
	}
	if (u <= UINT16_MAX) {
		*first = 0xcd;
		return 3;
	}
	if (u <= UINT32_MAX) {
		*first = 0xce;
		return 5;
	}
	*first = 0xcf;
	return 9;
}

static bool is_integral(double v)
{
	if (v < 0) {
		if (v < -9223372036854775808.0)
			return false;
		return (double)(int64_t)v == v;
	}
	if (v >= 18446744073709551616.0)
		return false;
	return (double)(uint64_t)v == v;
}

unsigned msgpack_put_double(uint8_t *out, unsigned room, double v, unsigned policy)
{
	union { double d; uint64_t u; } dv;
	union { float f; uint32_t u; } fv;
	uint8_t first;
	uint64_t rest;
	unsigned need;

	dv.d = v;
	bool minus_zero = dv.u == 1ull << 63;

	if (!(v >= -DBL_MAX && v <= DBL_MAX)) {
		if (policy & NONFINITE_NIL) {
			need = 1;
			if (need <= room)
				out[0] = 0xc0;
			return need;
		}
		/* NaN payloads stay at home */
		fv.u = v > 0 ? 0x7f800000u : v < 0 ? 0xff800000u : 0x7fc00000u;
		need = 5;
		if (need <= room) {
			out[0] = 0xca;
			be(out + 1, fv.u, 4);
		}
		return need;
	}

	if (!(policy & NO_INTEGERS) && !minus_zero && is_integral(v)) {
		need = integer_form(v, &first, &rest);
		/* 5 bytes of float beat 9 of integer */
		if (need < 9 || (double)(float)v != v) {
			if (need <= room) {
				out[0] = first;
				be(out + 1, rest, need - 1);
			}
			return need;
		}
	}

	if (v >= -(double)FLT_MAX && v <= (double)FLT_MAX) {
		double err, lim;

		fv.f = (float)v;
		err = (double)fv.f - v;
		lim = v * (1.0 / 1048576.0);
		if (err < 0)
			err = -err;
		if (lim < 0)
			lim = -lim;
		if (err == 0 || ((policy & ROUND_SINGLE) && err < lim)) {
			need = 5;
			if (need <= room) {
				out[0] = 0xca;
				be(out + 1, fv.u, 4);
			}
			return need;
		}
	}

	if (policy & DECIMAL_EXT) {
		static const double tens[4] = { 10.0, 100.0, 1000.0, 10000.0 };

		for (unsigned k = 0; k < 4; k++) {
			double m = v * tens[k];

			if (m >= 2147483648.0 || m <= -2147483648.0)
				break;

			int32_t fixed = (int32_t)m;

			if ((double)fixed != m || (double)fixed / tens[k] != v)
				continue;
			need = 6;
			if (need <= room) {
				out[0] = 0xd6;		/* fixext 4, type is the scale */
				out[1] = (uint8_t)(k + 1);
				be(out + 2, (uint32_t)fixed, 4);
			}
			return need;
		}
	}

	need = 9;
	if (need <= room) {
		out[0] = 0xcb;
		be(out + 1, dv.u, 8);
	}
	return need;
}
