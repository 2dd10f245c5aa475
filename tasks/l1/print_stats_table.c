#include <stdint.h>
#include <stdbool.h>

/* "show rx": receive statistics of the radio links */

struct rxstat {
	char     name[8];	/* filled up with NULs, none if all 8 are used */
	uint32_t packets;
	uint32_t errors;
};

#define MAX_LINKS 12

extern int cli_printf(const char *fmt, ...);

static int name_cmp(const char *a, const char *b)
{
	for (int i = 0; i < 8; i++) {
		uint8_t ca = (uint8_t)a[i], cb = (uint8_t)b[i];
		if (ca != cb)
			return ca < cb ? -1 : 1;
		if (ca == 0)
			break;
	}
	return 0;
}

static unsigned shorten(uint64_t v, char *suffix)
{
	bool big = v > 999999;
	*suffix = big ? 'k' : ' ';
	return (unsigned)(big ? v / 1000 : v);
}

int print_stats_table(const struct rxstat *rows, unsigned n, unsigned sort_by)
{
	float rate[MAX_LINKS];
	uint8_t order[MAX_LINKS];
	uint64_t all_packets = 0, all_errors = 0;
	char pk, ek;
	unsigned p, e;
	int shown = 0;

	if (n > MAX_LINKS)
		n = MAX_LINKS;

	for (unsigned i = 0; i < n; i++) {
		const struct rxstat *r = &rows[i];
		rate[i] = r->packets ? (float)r->errors * 100.0f / (float)r->packets : 0.0f;
		all_packets += r->packets;
		all_errors += r->errors;

		/* sorted as they come; equal ones keep their order */
		unsigned j = i;
		while (j > 0) {
			const struct rxstat *o = &rows[order[j - 1]];
			bool before = false;
			if (sort_by == 0)
				before = name_cmp(r->name, o->name) < 0;
			else if (sort_by == 1)
				before = r->packets > o->packets;
			else if (sort_by == 2)
				before = rate[i] > rate[order[j - 1]];
			if (!before)
				break;
			order[j] = order[j - 1];
			j--;
		}
		order[j] = (uint8_t)i;
	}

	if (cli_printf("%-8s %8s  %8s  %s\n", "link", "packets", "errors", "err%") < 0)
		return -1;

	for (unsigned i = 0; i < n; i++) {
		const struct rxstat *r = &rows[order[i]];
		char name[9];
		int k = 0, rc;

		while (k < 8 && r->name[k] != '\0') {
			name[k] = r->name[k];
			k++;
		}
		while (k < 8)
			name[k++] = ' ';
		name[8] = '\0';

		p = shorten(r->packets, &pk);
		e = shorten(r->errors, &ek);
		if (r->packets == 0)
			rc = cli_printf("%s %8u%c %8u%c     -\n", name, p, pk, e, ek);
		else if (rate[order[i]] > 99.9f)
			rc = cli_printf("%s %8u%c %8u%c  DEAD\n", name, p, pk, e, ek);
		else
			rc = cli_printf("%s %8u%c %8u%c %5.1f\n", name, p, pk, e, ek, (double)rate[order[i]]);
		if (rc < 0)
			return shown;
		shown++;
	}

	p = shorten(all_packets, &pk);
	e = shorten(all_errors, &ek);
	cli_printf("%-8s %8u%c %8u%c\n", "total", p, pk, e, ek);
	return shown;
}
