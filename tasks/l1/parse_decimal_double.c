#include <stdint.h>

#define DIGIT(c)	((c) >= '0' && (c) <= '9')
#define MAX_SIG		19	/* 10^19 - 1 still fits in 64 bits */
#define MAX_EXP		400

struct scan {
	uint64_t mant;
	int sig;		/* significant digits in mant */
	int exp10;
	int seen;
};

static const double pow10_exact[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static const char *
scan_digits(const char *p, const char *end, struct scan *sc, int frac)
{
	int prev = 0;

	for (; p < end; p++) {
		if (*p == '_') {
			if (!prev || end - p < 2 || !DIGIT(p[1]))
				break;
			prev = 0;
			continue;
		}
		if (!DIGIT(*p))
			break;
		prev = 1;
		sc->seen = 1;
		if (sc->sig < MAX_SIG) {
			sc->mant = sc->mant * 10 + (uint64_t)(*p - '0');
			sc->sig += sc->mant != 0;
			sc->exp10 -= frac;
		} else {
			sc->exp10 += !frac;
		}
	}
	return p;
}

/* value = mant * 10^e; right to the last bit when both parts are exact */
static double
scale10(uint64_t mant, int e)
{
	double d = (double)mant, b = 10.0;
	unsigned n = e < 0 ? 0u - (unsigned)e : (unsigned)e;

	if (mant == 0)
		return 0.0;
	if (mant <= (UINT64_C(1) << 53) && n <= 22)
		return e < 0 ? d / pow10_exact[n] : d * pow10_exact[n];
	for (; n; n >>= 1, b *= b)
		if (n & 1) {
			if (e < 0)
				d /= b;
			else
				d *= b;
		}
	return d;
}

const char *
parse_decimal_double(const char *s, const char *end, double *out)
{
	struct scan sc = { 0, 0, 0, 0 };
	const char *p = s, *q;
	int neg = 0, eneg = 0, ex = 0;
	double d;

	if (p < end && (*p == '-' || *p == '+'))
		neg = *p++ == '-';

	/* inf in any case; nan is nobody's setting */
	if (end - p >= 3 && (p[0] | 0x20) == 'i' && (p[1] | 0x20) == 'n' &&
	    (p[2] | 0x20) == 'f') {
		*out = neg ? -__builtin_inf() : __builtin_inf();
		return p + 3;
	}

	p = scan_digits(p, end, &sc, 0);
	if (p < end && *p == '.') {
		q = scan_digits(p + 1, end, &sc, 1);
		if (!sc.seen)
			return s;
		p = q;
	}
	if (!sc.seen)
		return s;

	if (end - p >= 2 && (*p == 'e' || *p == 'E')) {
		q = p + 1;
		if (*q == '-' || *q == '+')
			eneg = *q++ == '-';
		if (q < end && DIGIT(*q)) {
			for (; q < end && DIGIT(*q); q++)
				if (ex < MAX_EXP)
					ex = ex * 10 + (*q - '0');
			if (ex > MAX_EXP)
				ex = MAX_EXP;
			sc.exp10 += eneg ? -ex : ex;
			p = q;
		}
	}

	d = scale10(sc.mant, sc.exp10);
	*out = neg ? -d : d;
	return p;
}
