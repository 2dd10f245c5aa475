#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Frame arena of the renderer. Assets grow from the bottom, scratch data
 * comes from the top; both are dropped together by closing a mark.
 */
enum
{
	ARENA_BYTES = 1024,
	ARENA_MARKS = 8,
	ARENA_MAX_ALIGN_LOG2 = 8,
};

enum arena_opt
{
	ARENA_TOP    = 1 << 0,
	ARENA_ZERO   = 1 << 1,
	ARENA_MARK   = 1 << 2,
	ARENA_RELEASE = 1 << 3,
	ARENA_EXTEND = 1 << 4,
};

struct span
{
	uint32_t off, len;
};

struct arena
{
	uint8_t buf[ARENA_BYTES];
	uint16_t lo, hi; /* free space is [lo, hi) */
	struct
	{
		uint16_t lo, hi;
	} marks[ARENA_MARKS];
	uint8_t nmarks;
	bool failed;
	uint32_t shortfall; /* the most that was ever missing */
	struct span last;
};

static struct span refuse(struct arena *a)
{
	struct span none = {UINT32_MAX, 0};
	a->failed = true;
	return none;
}

static struct span out_of_room(struct arena *a, size_t missing)
{
	uint32_t m = missing > UINT32_MAX ? UINT32_MAX : (uint32_t)missing;
	if (m > a->shortfall)
		a->shortfall = m;
	return refuse(a);
}

struct span arena_push_aligned(struct arena *a, size_t bytes, unsigned align_log2, unsigned opts)
{
	if (align_log2 > ARENA_MAX_ALIGN_LOG2)
		return refuse(a);

	if (opts & ARENA_RELEASE)
	{
		if (a->nmarks == 0)
			return refuse(a);
		a->nmarks--;
		a->lo = a->marks[a->nmarks].lo;
		a->hi = a->marks[a->nmarks].hi;
		a->last.off = UINT32_MAX;
		a->last.len = 0;
	}
	if (opts & ARENA_MARK)
	{
		if (a->nmarks >= ARENA_MARKS)
			return refuse(a);
		a->marks[a->nmarks].lo = a->lo;
		a->marks[a->nmarks].hi = a->hi;
		a->nmarks++;
	}

	uint32_t room = (uint32_t)a->hi - a->lo;
	uint32_t mask = (UINT32_C(1) << align_log2) - 1;
	uint32_t fresh; /* first of the added bytes */
	struct span s;

	/* an older block, or one at the other end, gets a new place like any other */
	if ((opts & ARENA_EXTEND) && !(opts & ARENA_TOP) && a->last.off + a->last.len == a->lo)
	{
		if (bytes > room)
			return out_of_room(a, bytes - room);
		fresh = a->lo;
		a->lo = (uint16_t)(a->lo + bytes);
		s.off = a->last.off;
		s.len = a->last.len + (uint32_t)bytes;
	}
	else if ((opts & ARENA_EXTEND) && (opts & ARENA_TOP) && a->last.off == a->hi)
	{
		/* grows downwards, so the start moves and alignment is lost */
		if (bytes > room)
			return out_of_room(a, bytes - room);
		a->hi = (uint16_t)(a->hi - bytes);
		fresh = a->hi;
		s.off = fresh;
		s.len = a->last.len + (uint32_t)bytes;
	}
	else if (opts & ARENA_TOP)
	{
		if (bytes > room)
			return out_of_room(a, bytes - room);
		fresh = ((uint32_t)a->hi - (uint32_t)bytes) & ~mask;
		if (fresh < a->lo)
			return out_of_room(a, a->lo - fresh);
		a->hi = (uint16_t)fresh;
		s.off = fresh;
		s.len = (uint32_t)bytes;
	}
	else
	{
		fresh = (a->lo + mask) & ~mask;
		room = fresh < a->hi ? a->hi - fresh : 0;
		if (bytes > room)
			return out_of_room(a, bytes - room);
		if (fresh > a->hi)
			fresh = a->hi; /* nothing asked for, nothing to align */
		a->lo = (uint16_t)(fresh + bytes);
		s.off = fresh;
		s.len = (uint32_t)bytes;
	}

	if (opts & ARENA_ZERO)
		for (size_t i = 0; i < bytes; i++)
			a->buf[fresh + i] = 0;
	a->last = s;
	return s;
}
