/*
 * Text on the status display.  Fonts are converted by tools/fontpack:
 *
 *   runs are nibbles, high one first, turn about background and ink, and go on
 *   across row ends.  15 is followed by a byte to add.  Where a row begins with
 *   a new background run, the nibbles 0 0 stand for "same row again".
 */
#include <stdint.h>
#include <stddef.h>

#define SCREEN_W	128
#define SCREEN_H	64
#define GLYPH_W_MAX	32

struct font {
	uint8_t nranges, nglyphs;
	uint8_t fallback;	/* glyph for what the font lacks, 0: draw nothing */
	uint16_t nbytes;
	struct range {
		uint16_t first;
		uint8_t count;
		uint8_t index;	/* of the first character's glyph */
	} range[3];
	struct glyph {
		uint16_t offset;
		uint8_t w, h, advance;
		int8_t xoff, yoff;
	} glyph[8];
	uint8_t runs[256];
};

extern void lcd_set_window(int x0, int y0, int x1, int y1);
extern void lcd_push_run(uint16_t colour, unsigned count);

static unsigned find_glyph(const struct font *f, uint16_t ch)
{
	for (unsigned i = 0; i < f->nranges && i < 3; i++) {
		const struct range *r = &f->range[i];

		if (ch < r->first)
			break;
		if (ch - r->first < r->count)
			return (unsigned)r->index + (ch - r->first);
	}
	return f->fallback;
}

static unsigned nibble(const struct font *f, unsigned pos)
{
	uint8_t b;

	if (pos / 2 >= f->nbytes || pos / 2 >= sizeof f->runs)
		return 0;
	b = f->runs[pos / 2];
	return pos & 1 ? b & 15u : b >> 4;
}

static void emit_row(uint32_t bits, int x, int y, uint16_t fg)
{
	while (bits) {
		int len = 0;

		while (!(bits & 1)) {
			bits >>= 1;
			x++;
		}
		while (bits & 1) {
			bits >>= 1;
			len++;
		}
		lcd_set_window(x, y, x + len - 1, y);
		lcd_push_run(fg, (unsigned)len);
		x += len;
	}
}

int glyph_draw_rle(const struct font *f, uint16_t ch, int x, int y, uint16_t fg)
{
	unsigned gi = find_glyph(f, ch);
	const struct glyph *g;
	unsigned pos, run = 0, ink = 1;
	uint32_t row = 0;
	int r;

	if (gi == 0 || gi >= f->nglyphs || gi >= 8)
		return 0;
	g = &f->glyph[gi];
	if (g->w > GLYPH_W_MAX || x < -200 || x > 200 || y < -200 || y > 200)
		return g->advance;
	x += g->xoff;
	y += g->yoff;
	pos = g->offset * 2u;

	for (r = 0; r < g->h; r++, y++) {
		if (run == 0 && ink && nibble(f, pos) == 0 && nibble(f, pos + 1) == 0) {
			pos += 2;	/* row stays as it was */
		} else {
			unsigned col = 0;

			row = 0;
			while (col < g->w) {
				unsigned step;

				if (run == 0) {
					if (pos / 2 >= f->nbytes)
						return g->advance;	/* damaged font */
					ink = !ink;
					run = nibble(f, pos++);
					if (run == 15) {
						run += nibble(f, pos) << 4 | nibble(f, pos + 1);
						pos += 2;
					}
				}
				step = run < g->w - col ? run : g->w - col;
				if (ink)
					row |= (uint32_t)(((uint64_t)1 << step) - 1) << col;
				col += step;
				run -= step;
			}
		}

		if (y >= 0 && y < SCREEN_H && x > -GLYPH_W_MAX && x < SCREEN_W) {
			uint32_t shown = row;

			if (x > SCREEN_W - GLYPH_W_MAX)
				shown &= ~(uint32_t)0 >> (x - (SCREEN_W - GLYPH_W_MAX));
			if (x < 0)
				emit_row(shown >> -x, 0, y, fg);
			else
				emit_row(shown, x, y, fg);
		}
	}
	return g->advance;
}
