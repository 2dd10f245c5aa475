/*
 * gui/dirty.c: which parts of the panel have to be sent again.
 */
#include <stdint.h>
#include <stdbool.h>

#define LCD_W            320
#define LCD_H            240
#define DIRTY_MAX        6u
#define WASTE_PERCENT    12
#define LCD_STAT_VBLANK  (1u << 3)

struct rect                 /* x1, y1 are just outside */
{
    int16_t x0, y0, x1, y1;
};

struct dirty
{
    struct rect r[DIRTY_MAX];
    uint8_t     n;
    uint16_t    merges;
};

extern volatile uint32_t LCD_STAT;

extern void lcd_flush_rect(int x, int y, int w, int h);

static int32_t area(const struct rect *a)
{
    return (int32_t)(a->x1 - a->x0) * (a->y1 - a->y0);
}

static bool contains(const struct rect *outer, const struct rect *inner)
{
    return outer->x0 <= inner->x0 && outer->y0 <= inner->y0 && outer->x1 >= inner->x1 && outer->y1 >= inner->y1;
}

static struct rect hull(const struct rect *a, const struct rect *b)
{
    struct rect u = *a;

    if (b->x0 < u.x0) u.x0 = b->x0;
    if (b->y0 < u.y0) u.y0 = b->y0;
    if (b->x1 > u.x1) u.x1 = b->x1;
    if (b->y1 > u.y1) u.y1 = b->y1;
    return u;
}

/* pixels of the hull that belong to neither */
static int32_t waste(const struct rect *a, const struct rect *b)
{
    struct rect   u = hull(a, b);
    int32_t       w = (a->x1 < b->x1 ? a->x1 : b->x1) - (a->x0 > b->x0 ? a->x0 : b->x0);
    int32_t       h = (a->y1 < b->y1 ? a->y1 : b->y1) - (a->y0 > b->y0 ? a->y0 : b->y0);
    int32_t       lost = area(&u) - area(a) - area(b);

    return (w > 0 && h > 0) ? lost + w * h : lost;
}

/* a's place at the end, everything inside it gone; returns the new count */
static unsigned put(struct rect *list, unsigned n, struct rect a)
{
    unsigned i, kept = 0;

    for (i = 0; i < n; i++)
    {
        if (!contains(&a, &list[i]))
        {
            list[kept++] = list[i];
        }
    }
    list[kept++] = a;
    return kept;
}

static void add(struct dirty *d, struct rect a)
{
    struct rect list[DIRTY_MAX + 1u];
    unsigned    n = 0, i, j;
    int32_t     total = 0;

    for (i = 0; i < d->n; i++)
    {
        if (contains(&d->r[i], &a))
        {
            return;
        }
        list[n++] = d->r[i];
    }
    n = put(list, n, a);

    while (n > 1)
    {
        unsigned    bi = 0, bj = 1;
        int32_t     least = INT32_MAX;
        struct rect u;

        for (i = 0; i + 1 < n; i++)
        {
            for (j = i + 1; j < n; j++)
            {
                int32_t lost = waste(&list[i], &list[j]);
                if (lost < least)
                {
                    least = lost;
                    bi = i;
                    bj = j;
                }
            }
        }
        u = hull(&list[bi], &list[bj]);
        if (n <= DIRTY_MAX && least * 100 >= area(&u) * WASTE_PERCENT)
        {
            break;
        }
        n = put(list, n, u);
        d->merges++;
    }

    for (i = 0; i < n; i++)
    {
        total += area(&list[i]);
    }
    if (total > LCD_W * LCD_H / 4 * 3)
    {
        list[0].x0 = 0;
        list[0].y0 = 0;
        list[0].x1 = LCD_W;
        list[0].y1 = LCD_H;
        n = 1;
    }
    for (i = 0; i < n; i++)
    {
        d->r[i] = list[i];
    }
    d->n = (uint8_t)n;
}

unsigned dirty_rect_add(struct dirty *d, int x, int y, int w, int h)
{
    if (d->n > DIRTY_MAX)
    {
        d->n = 0;
    }

    if (w > 0 && h > 0 && x < LCD_W && y < LCD_H && x > -4096 && y > -4096 && w < 4096 && h < 4096)
    {
        int x1 = x + w < LCD_W ? x + w : LCD_W;
        int y1 = y + h < LCD_H ? y + h : LCD_H;

        if (x1 > 0 && y1 > 0)
        {
            struct rect a;

            a.x0 = (int16_t)(x > 0 ? x : 0);
            a.y0 = (int16_t)(y > 0 ? y : 0);
            a.x1 = (int16_t)x1;
            a.y1 = (int16_t)y1;
            add(d, a);
        }
    }

    if (LCD_STAT & LCD_STAT_VBLANK)
    {
        /* from top to bottom, ahead of the beam */
        for (unsigned i = 1; i < d->n; i++)
        {
            struct rect a = d->r[i];
            unsigned    k = i;

            while (k > 0 && (d->r[k - 1].y0 > a.y0 || (d->r[k - 1].y0 == a.y0 && d->r[k - 1].x0 > a.x0)))
            {
                d->r[k] = d->r[k - 1];
                k--;
            }
            d->r[k] = a;
        }
        for (unsigned i = 0; i < d->n; i++)
        {
            const struct rect *a = &d->r[i];
            lcd_flush_rect(a->x0, a->y0, a->x1 - a->x0, a->y1 - a->y0);
        }
        d->n = 0;
    }
    return d->n;
}
