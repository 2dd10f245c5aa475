#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

/*
 * Flood fill for the 16-colour icon editor. Pictures are tiny but RAM is tinier: the stack of open
 * spans is fixed, and when it proves too small the rest is found by sweeping over the picture.
 */

#define SIDE_MAX    24u
#define STACK_SIZE  32u

struct Picture
{
    uint8_t *px;
    unsigned w, h, stride;
    uint32_t filled[SIDE_MAX];  // one bit for each pixel done
};

static unsigned getPixel(const struct Picture *pic, unsigned x, unsigned y)
{
    unsigned pair = pic->px[y * pic->stride + x / 2];
    return (x & 1) ? pair & 0x0F : pair >> 4;
}

static void paint(struct Picture *pic, unsigned x, unsigned y, unsigned colour)
{
    uint8_t *pair = &pic->px[y * pic->stride + x / 2];
    *pair = (uint8_t)((x & 1) ? (*pair & 0xF0) | colour : (*pair & 0x0F) | colour << 4);
    pic->filled[y] |= (uint32_t)1 << x;
}

static bool isFilled(const struct Picture *pic, unsigned x, unsigned y)
{
    return pic->filled[y] >> x & 1;
}

int fill_region_scanline(uint8_t *px, unsigned w, unsigned h, unsigned x, unsigned y, unsigned colour)
{
    struct Picture pic = { px, w, h, (w + 1) / 2, { 0 } };
    struct { uint8_t x, y; } stack[STACK_SIZE];
    unsigned top = 0;
    bool overflow = false;
    int count = 0;

    if (w < 1 || w > SIDE_MAX || h < 1 || h > SIDE_MAX)
        return -1;
    if (x >= w || y >= h)
        return 0;
    colour &= 0x0F;
    const unsigned target = getPixel(&pic, x, y);
    if (target == colour)
        return 0;

    stack[top].x = (uint8_t)x;
    stack[top++].y = (uint8_t)y;
    while (top != 0)
    {
        unsigned left = stack[--top].x;
        const unsigned row = stack[top].y;
        unsigned right = left;

        if (getPixel(&pic, left, row) != target)
            continue;           // reached on another way meanwhile
        while (left > 0 && getPixel(&pic, left - 1, row) == target)
            left--;
        while (right + 1 < w && getPixel(&pic, right + 1, row) == target)
            right++;
        for (unsigned i = left; i <= right; i++)
            paint(&pic, i, row, colour);
        count += (int)(right - left + 1);

        for (int side = -1; side <= 1; side += 2)
        {
            if ((side < 0 && row == 0) || (side > 0 && row + 1 == h))
                continue;
            const unsigned next = side < 0 ? row - 1 : row + 1;
            bool inRun = false;
            for (unsigned i = left; i <= right; i++)
            {
                const bool hit = getPixel(&pic, i, next) == target;
                if (hit && !inRun)
                {
                    if (top < STACK_SIZE)
                    {
                        stack[top].x = (uint8_t)i;
                        stack[top++].y = (uint8_t)next;
                    }
                    else
                        overflow = true;
                }
                inRun = hit;
            }
        }
    }

    while (overflow)
    {
        overflow = false;
        for (unsigned j = 0; j < h; j++)
            for (unsigned i = 0; i < w; i++)
            {
                if (getPixel(&pic, i, j) != target)
                    continue;
                if ((i > 0 && isFilled(&pic, i - 1, j)) || (i + 1 < w && isFilled(&pic, i + 1, j)) ||
                    (j > 0 && isFilled(&pic, i, j - 1)) || (j + 1 < h && isFilled(&pic, i, j + 1)))
                {
                    paint(&pic, i, j, colour);
                    count++;
                    overflow = true;
                }
            }
    }
    return count;
}
