#include <stdint.h>

enum form_fault {
	FAULT_CHAR = 1,		/* neither digit nor separator, or a letter too late */
	FAULT_LONG = 2,
	FAULT_RUN = 3,
	FAULT_SHORT = 4,
};

#define FORM_FAULT(kind, pos)	(-(int)((pos) * 8u + (kind)))

#define MIN_DIGITS	8u
#define MAX_DIGITS	16u
#define MAX_EQUAL	5u

static const uint8_t dihedral[10][10] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
	{ 1, 2, 3, 4, 0, 6, 7, 8, 9, 5 },
	{ 2, 3, 4, 0, 1, 7, 8, 9, 5, 6 },
	{ 3, 4, 0, 1, 2, 8, 9, 5, 6, 7 },
	{ 4, 0, 1, 2, 3, 9, 5, 6, 7, 8 },
	{ 5, 9, 8, 7, 6, 0, 4, 3, 2, 1 },
	{ 6, 5, 9, 8, 7, 1, 0, 4, 3, 2 },
	{ 7, 6, 5, 9, 8, 2, 1, 0, 4, 3 },
	{ 8, 7, 6, 5, 9, 3, 2, 1, 0, 4 },
	{ 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
};

static const uint8_t permuted[8][10] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
	{ 1, 5, 7, 6, 2, 8, 3, 0, 9, 4 },
	{ 5, 8, 0, 3, 7, 9, 6, 1, 4, 2 },
	{ 8, 9, 1, 6, 0, 4, 3, 5, 2, 7 },
	{ 9, 4, 5, 3, 1, 2, 6, 8, 7, 0 },
	{ 4, 2, 8, 6, 5, 7, 3, 9, 0, 1 },
	{ 2, 7, 9, 3, 8, 0, 6, 4, 1, 5 },
	{ 7, 0, 4, 6, 9, 1, 3, 2, 5, 8 },
};

static const uint8_t inverse[10] = { 0, 4, 3, 2, 1, 5, 6, 7, 8, 9 };

/*
 * Identity numbers as printed on the card: groups set apart by blanks or
 * hyphens, old cards with the letter of the issuing office in front. The office
 * counts as two digits, A as 10 up to Z as 35.
 */
int verhoeff_scan_digits(const char *text, unsigned n, char *check_out)
{
	uint8_t digit[MAX_DIGITS + 2];
	unsigned count = 0, equal = 0;
	unsigned pos, i;
	unsigned acc = 0;

	for (pos = 0; pos < n; pos++) {
		char c = text[pos];

		if (c == ' ' || c == '-')
			continue;

		if (c >= '0' && c <= '9') {
			digit[count] = (uint8_t)(c - '0');
			if (count > 0 && digit[count] == digit[count - 1])
				equal++;
			else
				equal = 1;
			count++;
		} else if (c >= 'A' && c <= 'Z' && count == 0) {
			unsigned office = 10u + (unsigned)(c - 'A');

			digit[0] = (uint8_t)(office / 10u);
			digit[1] = (uint8_t)(office % 10u);
			count = 2;
			equal = digit[0] == digit[1] ? 2 : 1;
		} else {
			return FORM_FAULT(FAULT_CHAR, pos);
		}

		if (equal > MAX_EQUAL)
			return FORM_FAULT(FAULT_RUN, pos);
		if (count > MAX_DIGITS)
			return FORM_FAULT(FAULT_LONG, pos);
	}
	if (count < MIN_DIGITS)
		return FORM_FAULT(FAULT_SHORT, pos);

	/* from the right; the last digit is the check and stays out for now */
	for (i = 1; i < count; i++)
		acc = dihedral[acc][permuted[i & 7][digit[count - 1 - i]]];

	*check_out = (char)('0' + inverse[acc]);
	return digit[count - 1] == inverse[acc];
}
