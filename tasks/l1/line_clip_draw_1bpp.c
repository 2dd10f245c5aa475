/* Monochrome display: a byte holds eight pixels one above the other, lowest bit on top. */
#include <stdint.h>
#include <stdbool.h>

#define FB_MAX_W 64
#define FB_MAX_H 48

enum draw_mode { DRAW_SET, DRAW_CLEAR, DRAW_XOR };

struct pt { int16_t x, y; };

struct mono_fb {
    uint8_t w, h;
    uint8_t wx0, wy0, wx1, wy1;     /* drawing window, corners included */
    uint8_t mode;
    uint8_t phase;                  /* where the line pattern goes on */
    uint8_t bits[FB_MAX_W * FB_MAX_H / 8];
};

#define OUT_LEFT  1u
#define OUT_RIGHT 2u
#define OUT_ABOVE 4u
#define OUT_BELOW 8u

static unsigned outcode(const struct mono_fb *fb, int x, int y)
{
    unsigned code = 0;

    if (x < fb->wx0)
        code |= OUT_LEFT;
    else if (x > fb->wx1)
        code |= OUT_RIGHT;
    if (y < fb->wy0)
        code |= OUT_ABOVE;
    else if (y > fb->wy1)
        code |= OUT_BELOW;
    return code;
}

/* c + d * num / den rounded to nearest, halves upwards whatever the signs, so that a line and
 * its reverse are cut at the same pixel */
static int along(int c, int d, int num, int den)
{
    int64_t p, q;

    if (den < 0) {
        den = -den;
        num = -num;
    }
    p = 2 * (int64_t)d * num + den;
    q = p / (2 * (int64_t)den);
    if (p < 0 && q * 2 * den != p)
        q--;
    return (int)(c + q);
}

/* the caller has sorted out lines wholly on one side: dx is not 0 if the end is left or right */
static bool clip_end(const struct mono_fb *fb, struct pt from, struct pt to, int *px, int *py)
{
    const int dx = to.x - from.x, dy = to.y - from.y;
    unsigned code = outcode(fb, *px, *py);

    if (code & (OUT_LEFT | OUT_RIGHT)) {
        *px = (code & OUT_LEFT) ? fb->wx0 : fb->wx1;
        *py = along(from.y, dy, *px - from.x, dx);
        code = outcode(fb, *px, *py);
    }
    if (code & (OUT_ABOVE | OUT_BELOW)) {
        *py = (code & OUT_ABOVE) ? fb->wy0 : fb->wy1;
        *px = along(from.x, dx, *py - from.y, dy);
        code = outcode(fb, *px, *py);
    }
    return code == 0;
}

static int magnitude(int v)
{
    return v < 0 ? -v : v;
}

unsigned line_clip_draw_1bpp(struct mono_fb *fb, struct pt a, struct pt b, uint8_t pattern)
{
    int x = a.x, y = a.y, ex = b.x, ey = b.y;
    int dx, dy, sx, sy, err, steps;
    unsigned phase, touched = 0;

    if (fb->w > FB_MAX_W || fb->h > FB_MAX_H || fb->wx1 >= fb->w || fb->wy1 >= fb->h)
        return 0;
    if (outcode(fb, x, y) & outcode(fb, ex, ey))
        return 0;
    if (!clip_end(fb, a, b, &x, &y) || !clip_end(fb, a, b, &ex, &ey))
        return 0;

    /* the part cut off in front uses up pattern too */
    dx = magnitude(x - a.x);
    dy = magnitude(y - a.y);
    phase = fb->phase + (unsigned)(dx > dy ? dx : dy);

    dx = magnitude(ex - x);
    dy = magnitude(ey - y);
    sx = x < ex ? 1 : -1;
    sy = y < ey ? 1 : -1;
    err = dx - dy;
    steps = (dx > dy ? dx : dy) + (fb->mode == DRAW_XOR ? 0 : 1);

    while (steps-- > 0) {
        int twice = 2 * err;

        if (pattern >> (phase & 7) & 1) {
            uint8_t *cell = &fb->bits[(y >> 3) * fb->w + x];
            uint8_t bit = (uint8_t)(1u << (y & 7));

            switch (fb->mode) {
            case DRAW_CLEAR:
                *cell &= (uint8_t)~bit;
                break;
            case DRAW_XOR:
                *cell ^= bit;
                break;
            default:
                *cell |= bit;
                break;
            }
            touched++;
        }
        phase++;
        if (twice > -dy) {
            err -= dy;
            x += sx;
        }
        if (twice < dx) {
            err += dx;
            y += sy;
        }
    }
    fb->phase = phase & 7;
    return touched;
}
