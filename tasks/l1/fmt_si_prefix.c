#include <stdint.h>
#include <stdbool.h>
#include <float.h>

/* Meter display: value, SI prefix, unit.  Works like snprintf as to cap and the length returned. */

static unsigned emit(char *out, unsigned cap, unsigned at, char c)
{
	if (at + 1 < cap)
		out[at] = c;
	return at + 1;
}

static unsigned finish(char *out, unsigned cap, unsigned len)
{
	if (cap > 0)
		out[len < cap ? len : cap - 1] = '\0';
	return len;
}

unsigned fmt_si_prefix(char *out, unsigned cap, double v, unsigned digits, char unit)
{
	static const double scale[9] = { 1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9, 1e12 };
	static const char sym[] = "pnum kMGT";
	static const uint32_t p10[7] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
	const char *special = 0;
	unsigned len = 0, dec, ex = 0;
	int pfx = 4;
	uint32_t num;
	bool sci = false;

	if (digits < 3)
		digits = 3;
	else if (digits > 6)
		digits = 6;

	double a = v < 0.0 ? -v : v;
	if (v != v)
		special = "---";
	else if (a > DBL_MAX)
		special = &"-inf"[v > 0.0];
	else if (a >= 1e99)
		special = "OVER";		/* exponent would need a third digit */
	if (special) {
		while (*special)
			len = emit(out, cap, len, *special++);
		return finish(out, cap, len);
	}

	if (a < 1e-15) {
		num = 0;
		dec = digits - 1;
		v = 0.0;
	} else if (a >= 1e15) {
		sci = true;
	} else {
		pfx = 8;
		while (pfx > 0 && a < scale[pfx])
			pfx--;
		double m = a / scale[pfx];
		dec = digits - (m >= 100.0 ? 3 : m >= 10.0 ? 2 : 1);
		num = (uint32_t)(m * p10[dec] + 0.5);
		if (num >= p10[digits]) {
			/* one digit more than wanted: 9.996 or 999.6 */
			num /= 10;
			if (digits - dec < 3) {
				dec--;
			} else {
				dec = digits - 1;
				sci = ++pfx > 8;
			}
		}
	}

	if (sci) {
		while (a >= 10.0) {
			a /= 10.0;
			ex++;
		}
		dec = digits - 1;
		num = (uint32_t)(a * p10[dec] + 0.5);
		if (num >= p10[digits]) {
			num /= 10;
			ex++;
		}
	}

	if (v < 0.0)
		len = emit(out, cap, len, '-');
	uint32_t ip = num / p10[dec];
	if (ip >= 100)
		len = emit(out, cap, len, (char)('0' + ip / 100));
	if (ip >= 10)
		len = emit(out, cap, len, (char)('0' + ip / 10 % 10));
	len = emit(out, cap, len, (char)('0' + ip % 10));
	if (dec)
		len = emit(out, cap, len, '.');
	while (dec > 0)
		len = emit(out, cap, len, (char)('0' + num / p10[--dec] % 10));

	if (sci) {
		len = emit(out, cap, len, 'e');
		len = emit(out, cap, len, (char)('0' + ex / 10));
		len = emit(out, cap, len, (char)('0' + ex % 10));
	}
	len = emit(out, cap, len, ' ');
	if (!sci && pfx != 4)
		len = emit(out, cap, len, sym[pfx]);
	if (unit)
		len = emit(out, cap, len, unit);
	return finish(out, cap, len);
}
