// sprite.c -- translucent sprites on the 16-bit canvas

#include <stdint.h>
#include <stdbool.h>

#define CANVAS_W_MAX  32
#define CANVAS_H_MAX  24
#define SPRITE_MAX    20

struct surf {
    uint8_t  w, h;
    uint8_t  opacity;       // 255: sprites as they are
    bool     keyed;
    uint32_t key;           // this exact word is never drawn
    uint16_t px[CANVAS_W_MAX * CANVAS_H_MAX];
};

// A 565 word spread over 32 bits, -----gggggg-----rrrrr------bbbbb, leaves room to multiply
// all three channels by a 5-bit factor at once.
#define SPREAD_MASK   0x07E0F81Fu
#define CARRY_5       0x00010020u
#define CARRY_6       0x08000000u

static uint32_t spread(uint32_t p)
{
    return (p | p << 16) & SPREAD_MASK;
}

static uint32_t add_sat8(uint32_t v, uint32_t d)
{
    v += d;
    return v > 255 ? 255 : v;
}

unsigned blit_alpha_rgb565(struct surf *dst, const uint32_t *argb, int w, int h, int x, int y)
{
    static const uint8_t bayer[2][2] = { { 0, 4 }, { 6, 2 } };
    unsigned changed = 0;

    if (dst->w > CANVAS_W_MAX || dst->h > CANVAS_H_MAX || w > SPRITE_MAX || h > SPRITE_MAX)
        return 0;
    if (w <= 0 || h <= 0 || x >= dst->w || y >= dst->h || x <= -w || y <= -h)
        return 0;
    if (dst->opacity == 0)
        return 0;

    const int c0 = x < 0 ? -x : 0;
    const int r0 = y < 0 ? -y : 0;
    const int c1 = w < dst->w - x ? w : dst->w - x;
    const int r1 = h < dst->h - y ? h : dst->h - y;

    for (int r = r0; r < r1; r++) {
        const uint32_t *src = argb + r * w;
        uint16_t *line = dst->px + (y + r) * dst->w;

        for (int c = c0; c < c1; c++) {
            uint32_t s = src[c];
            uint16_t *p = &line[x + c];

            if (dst->keyed && s == dst->key)
                continue;

            uint32_t alpha = s >> 24;
            if (alpha == 0)
                continue;
            uint32_t red = s >> 16 & 255, green = s >> 8 & 255, blue = s & 255;
            if (dst->opacity != 255) {
                const uint32_t o = dst->opacity + 1u;
                alpha = alpha * o >> 8;
                red   = red * o >> 8;
                green = green * o >> 8;
                blue  = blue * o >> 8;
            }

            const uint32_t d = bayer[(y + r) & 1][(x + c) & 1];
            uint32_t out = add_sat8(red, d) >> 3 << 11
                         | add_sat8(green, d >> 1) >> 2 << 5
                         | add_sat8(blue, d) >> 3;

            if (alpha != 255) {
                uint32_t back = spread(*p) * ((256 - alpha) >> 3) >> 5 & SPREAD_MASK;
                uint32_t sum = back + spread(out);
                uint32_t over = sum & (CARRY_5 | CARRY_6);

                // a carry out of a channel fills it with ones
                sum |= (over & CARRY_5) - ((over & CARRY_5) >> 5);
                sum |= (over & CARRY_6) - ((over & CARRY_6) >> 6);
                sum &= SPREAD_MASK;
                out = (sum | sum >> 16) & 0xFFFF;
            }
            changed += *p != out;
            *p = (uint16_t)out;
        }
    }
    return changed;
}
