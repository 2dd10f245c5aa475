#include <stdint.h>

#define CLK_ROOT    0xFFU
#define NUM_CLK     20U

#define E_UNUSED    -1
#define E_FULL      -2
#define E_NOCLK     -3

typedef struct {
    uint8_t parent;
    uint8_t reg;
    uint8_t bit;
    uint8_t settle_us;
} clk_node_t;

static const clk_node_t clk_tree[NUM_CLK] = {
    /*  0 xtal   */ { CLK_ROOT, 0,  0, 250 },
    /*  1 hsi    */ { CLK_ROOT, 0,  1,   4 },
    /*  2 pll    */ { 0,        0,  8, 180 },
    /*  3 sys    */ { 2,        0, 16,   0 },
    /*  4 ahb    */ { 3,        1,  0,   0 },
    /*  5 apb1   */ { 4,        1,  1,   1 },
    /*  6 apb2   */ { 4,        1,  2,   1 },
    /*  7 uart1  */ { 6,        2,  4,   2 },
    /*  8 uart2  */ { 5,        2, 17,   2 },
    /*  9 spi    */ { 6,        2, 12,   1 },
    /* 10 i2c    */ { 5,        2, 21,   3 },
    /* 11 adc    */ { 6,        2,  9,  20 },
    /* 12 usbpll */ { 0,        0, 12, 120 },
    /* 13 usb    */ { 12,       3,  7,  10 },
    /* 14 usbphy */ { 13,       3, 31,  50 },
    /* 15 lptim  */ { 1,        3,  0,   1 },
    /* 16 rng    */ { 12,       3, 18,   5 },
    /* 17 crc    */ { 4,        1, 12,   0 },
    /* 18 dma    */ { 4,        1, 31,   0 },
    /* 19 canfd  */ { 5,        3, 25,   6 },
};

extern uint8_t clk_users[NUM_CLK];
extern volatile uint32_t CLKGATE[4];
extern void clk_settle(unsigned id, unsigned us);

int clock_gate_acquire(unsigned id, int on)
{
    if (id >= NUM_CLK) {
        return E_NOCLK;
    }

    const clk_node_t *c = &clk_tree[id];
    int depth = 1;

    if (on) {
        /* feed first */
        if (c->parent != CLK_ROOT) {
            int up = clock_gate_acquire(c->parent, on);
            if (up < 0) {
                return up;
            }
            depth += up;
        }
        if (clk_users[id] == UINT8_MAX) {
            if (c->parent != CLK_ROOT) {
                (void)clock_gate_acquire(c->parent, 0);
            }
            return E_FULL;
        }
        if (clk_users[id]++ == 0U) {
            CLKGATE[c->reg] |= (uint32_t)1U << c->bit;
            clk_settle(id, c->settle_us);
        }
        return depth;
    }

    if (clk_users[id] == 0U) {
        return E_UNUSED;
    }
    if (--clk_users[id] == 0U) {
        CLKGATE[c->reg] &= ~((uint32_t)1U << c->bit);
    }
    if (c->parent != CLK_ROOT) {
        int up = clock_gate_acquire(c->parent, 0);
        if (up < 0) {
            return up;      /* bookkeeping is off somewhere above */
        }
        depth += up;
    }
    return depth;
}
