#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

extern int cfg_set_net(unsigned id, const char *val, unsigned n);
extern int cfg_set_display(unsigned id, const char *val, unsigned n);
extern int cfg_set_alarm(unsigned id, const char *val, unsigned n);

enum ini_kind {
	INI_BLANK	= 0,
	INI_SECTION	= 1,
	INI_KEY		= 2,
	INI_SWALLOWED	= 3,
	INI_E_HEADER	= -1,
	INI_E_NO_EQUALS	= -2,
	INI_E_NO_SECTION = -3,
	INI_E_KEY	= -4,
	INI_E_QUOTE	= -5,
	INI_E_REJECTED	= -6,
};

struct ini_ctx {
	int8_t section;		/* row of sections[], its size: unknown, -1: none yet */
	uint16_t line;
	uint16_t keys_set;
	uint16_t rejects;
	uint16_t reject_line;	/* of the first rejected value */
	int16_t reject_code;
};

struct ini_section {
	const char *name;
	int (*set)(unsigned id, const char *val, unsigned n);
	const char *const *keys;
	unsigned nkeys;
};

static const char *const net_keys[] = { "address", "mask", "gateway", "dhcp", "host" };
static const char *const display_keys[] = { "brightness", "contrast", "lang" };
static const char *const alarm_keys[] = { "high", "low", "hysteresis", "delay" };

static const struct ini_section sections[] = {
	{ "net",     cfg_set_net,     net_keys,     ARRAY_SIZE(net_keys) },
	{ "display", cfg_set_display, display_keys, ARRAY_SIZE(display_keys) },
	{ "alarm",   cfg_set_alarm,   alarm_keys,   ARRAY_SIZE(alarm_keys) },
};

static int is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* compare a counted word with a zero-terminated lower-case name */
static int same_word(const char *w, unsigned n, const char *name)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (name[i] == '\0' || to_lower(w[i]) != name[i])
			return 0;
	return name[n] == '\0';
}

int ini_dispatch_line(const char *line, unsigned n, struct ini_ctx *ctx)
{
	const struct ini_section *sec;
	unsigned i, from, to, eq;
	int ret;

	ctx->line++;

	while (n > 0 && (is_blank(line[n - 1]) || line[n - 1] == '\r' || line[n - 1] == '\n'))
		n--;
	for (from = 0; from < n && is_blank(line[from]); from++)
		;
	if (from == n || line[from] == ';' || line[from] == '#')
		return INI_BLANK;

	if (line[from] == '[') {
		to = n - 1;
		if (line[to] != ']' || to - from < 2)
			return INI_E_HEADER;
		for (from++; is_blank(line[from]); from++)
			;
		while (is_blank(line[to - 1]) && to - 1 > from)
			to--;
		for (i = 0; i < ARRAY_SIZE(sections); i++)
			if (same_word(line + from, to - from, sections[i].name))
				break;
		ctx->section = (int8_t)i;
		return INI_SECTION;
	}

	for (eq = from; eq < n && line[eq] != '='; eq++)
		;
	if (eq == n || eq == from)
		return INI_E_NO_EQUALS;
	if (ctx->section < 0)
		return INI_E_NO_SECTION;
	if ((size_t)ctx->section >= ARRAY_SIZE(sections))
		return INI_SWALLOWED;
	sec = &sections[ctx->section];

	for (to = eq; is_blank(line[to - 1]); to--)
		;
	for (i = 0; i < sec->nkeys; i++)
		if (same_word(line + from, to - from, sec->keys[i]))
			break;
	if (i == sec->nkeys)
		return INI_E_KEY;

	for (from = eq + 1; from < n && is_blank(line[from]); from++)
		;
	if (from < n && line[from] == '"') {
		for (to = ++from; to < n && line[to] != '"'; to++)
			;
		if (to == n)
			return INI_E_QUOTE;
	} else {
		/* " ;" begins a comment, a bare semicolon belongs to the value */
		for (to = from; to < n; to++)
			if (line[to] == ';' && is_blank(line[to - 1]))
				break;
		while (to > from && is_blank(line[to - 1]))
			to--;
	}

	ret = sec->set(i, line + from, to - from);
	if (ret < 0) {
		if (ctx->rejects == 0) {
			ctx->reject_line = ctx->line;
			ctx->reject_code = (int16_t)(ret < INT16_MIN ? INT16_MIN : ret);
		}
		if (ctx->rejects < UINT16_MAX)
			ctx->rejects++;
		return INI_E_REJECTED;
	}
	ctx->keys_set++;
	return INI_KEY;
}
