#include <stdint.h>

/* 16-bit port expander; the registers come in pairs, low byte first */
#define REG_OUTPUT 0x02
#define REG_CONFIG 0x06

#define FAILS_MAX 3

struct ioexp {
    uint8_t  dev;
    uint16_t out;      /* shadow of the output latches */
    uint16_t dir;      /* shadow of the direction register, 1 = input */
    uint16_t inv;      /* pins with an inverter behind them */
    uint8_t  valid;
    uint8_t  fails;
    uint32_t toggles;
};

extern int ioexp_write8(uint8_t dev, uint8_t reg, uint8_t value);
extern int ioexp_read16(uint8_t dev, uint8_t reg);

static int bus_failed(struct ioexp *x)
{
    if (++x->fails >= FAILS_MAX)
        x->valid = 0;   /* who knows what the chip holds now */
    return -1;
}

static unsigned ones(unsigned v)
{
    v = v - ((v >> 1) & 0x5555u);
    v = (v & 0x3333u) + ((v >> 2) & 0x3333u);
    v = (v + (v >> 4)) & 0x0F0Fu;
    return (v + (v >> 8)) & 0x1Fu;
}

int io_expander_sync(struct ioexp *x, uint16_t want, uint16_t mask)
{
    unsigned target, shift, half;
    int writes = 0;

    if (!x->valid) {
        int latch = ioexp_read16(x->dev, REG_OUTPUT);
        if (latch < 0)
            return bus_failed(x);
        x->out = (uint16_t)latch;
        x->valid = 1;
    }

    target = (x->out & ~mask) | ((want ^ x->inv) & mask);

    /* levels first: a pin that becomes an output must not glitch */
    for (half = 0; half < 2; half++) {
        unsigned lane, diff;

        shift = half * 8;
        lane = 0xFFu << shift;
        diff = (x->out ^ target) & lane;
        if (diff == 0)
            continue;
        if (ioexp_write8(x->dev, (uint8_t)(REG_OUTPUT + half), (uint8_t)(target >> shift)) != 0)
            return bus_failed(x);
        writes++;
        x->out = (uint16_t)((x->out & ~lane) | (target & lane));
        x->toggles += ones(diff & ~x->dir);
    }

    target = x->dir & ~mask;
    for (half = 0; half < 2; half++) {
        unsigned lane;

        shift = half * 8;
        lane = 0xFFu << shift;
        if (((x->dir ^ target) & lane) == 0)
            continue;
        if (ioexp_write8(x->dev, (uint8_t)(REG_CONFIG + half), (uint8_t)(target >> shift)) != 0)
            return bus_failed(x);
        writes++;
        x->dir = (uint16_t)((x->dir & ~lane) | (target & lane));
    }

    x->fails = 0;
    return writes;
}
