#include <stdbool.h>
#include <stddef.h>

#define GF_CROSS	1u	/* '*' and '?' match '/' as well */
#define GF_FOLD		2u
#define GF_NOESC	4u
#define GF_DEEP		8u	/* a component of two stars spans directories */

static unsigned
lower(char ch, unsigned fl)
{
	unsigned c = (unsigned char)ch;

	return (fl & GF_FOLD) && c - 'A' < 26u ? c | 0x20u : c;
}

/*
 * p stands behind '['.  Gives the place behind the closing bracket, or NULL
 * if there is none.  A ']' in first place is an ordinary member.
 */
static const char *
bracket(const char *p, unsigned c, unsigned fl, bool *hit)
{
	const char *first;
	unsigned lo, hi;
	bool neg = false, in = false;

	if (*p == '!') {
		neg = true;
		p++;
	}
	for (first = p; *p != ']' || p == first;) {
		if (*p == '\\' && !(fl & GF_NOESC))
			p++;
		if (*p == '\0')
			return NULL;
		lo = hi = lower(*p++, fl);
		if (p[0] == '-' && p[1] != ']') {
			p++;
			if (*p == '\\' && !(fl & GF_NOESC))
				p++;
			if (*p == '\0')
				return NULL;
			hi = lower(*p++, fl);
		}
		in |= lo <= c && c <= hi;
	}
	*hit = in != neg;
	return p + 1;
}

bool
glob_match_name(const char *pat, const char *name, unsigned flags)
{
	const char *p = pat, *t = name;
	const char *star_p = NULL, *star_t = NULL;	/* retry here first */
	const char *deep_p = NULL, *deep_t = NULL;	/* and here last */
	const char *q;
	bool lead, hit;

	for (;;) {
		lead = *t == '.' && (t == name || t[-1] == '/');
		hit = false;
		q = p + 1;

		switch (*p) {
		case '\0':
			if (*t == '\0')
				return true;
			break;
		case '*':
			if ((flags & GF_DEEP) && p[1] == '*' && p[2] == '/' &&
			    (p == pat || p[-1] == '/')) {
				p += 3;
				deep_p = p;
				deep_t = t;
				star_p = NULL;
				continue;
			}
			while (*p == '*')
				p++;
			star_p = p;
			star_t = t;
			continue;
		case '?':
			hit = *t != '\0' && !lead && (*t != '/' || (flags & GF_CROSS));
			break;
		case '[':
			q = bracket(p + 1, lower(*t, flags), flags, &hit);
			if (q == NULL) {
				q = p + 1;
				hit = *t == '[';
			} else {
				hit = hit && *t != '\0' && *t != '/' && !lead;
			}
			break;
		case '\\':
			if (!(flags & GF_NOESC) && p[1] != '\0')
				q = p + 2;
			/* FALLTHROUGH */
		default:
			hit = lower(q[-1], flags) == lower(*t, flags);
			break;
		}
		if (hit) {
			p = q;
			t++;
			continue;
		}

		/* let the star eat one more character */
		if (star_p != NULL && *star_t != '\0' && (*star_t != '/' || (flags & GF_CROSS)) &&
		    !(*star_t == '.' && (star_t == name || star_t[-1] == '/'))) {
			t = ++star_t;
			p = star_p;
			continue;
		}
		/* or the directory wildcard one more directory, but no hidden one */
		if (deep_p == NULL || *deep_t == '.')
			return false;
		while (*deep_t != '/')
			if (*deep_t++ == '\0')
				return false;
		t = ++deep_t;
		p = deep_p;
		star_p = NULL;
	}
}
