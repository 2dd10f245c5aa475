#include <stdint.h>
#include <stddef.h>

/*
 * Second-level interrupt dispatch for the cores that came without a vector
 * unit.  The assembly stub latches the pending word and hands it to us.
 */

extern volatile struct {
    uint32_t enable;
    uint32_t active;
    uint32_t prio[4];       /* eight 4-bit levels per word, 0 is most urgent */
    uint32_t eoi;
} PIC;

extern int irq_timer_h(unsigned n);
extern int irq_uart_h(unsigned n);
extern int irq_gpio_h(unsigned n);
extern int irq_spurious_h(unsigned n);

typedef int (*irqHandler_t)(unsigned n);

#define RC_AGAIN    0x1
#define RC_MASK     0x2
#define NO_LINE     32u
#define NONE        9

static const irqHandler_t handlerTab[3] = { irq_timer_h, irq_uart_h, irq_gpio_h };

/* board rev C wiring */
static const uint8_t lineMap[32] = {
    0, 0, 0, NONE, 1, 1, 1, 1,
    2, 2, 2, 2, 2, 2, 2, 2,
    NONE, NONE, 1, 0, 2, NONE, 0, 1,
    2, 2, NONE, NONE, 0, 1, NONE, 2,
};

static unsigned pickLine(uint32_t ready)
{
    unsigned best = NO_LINE;
    uint32_t bestLevel = 16;

    for (unsigned n = 0; n < 32; n++) {
        if (!(ready >> n & 1u))
            continue;
        uint32_t level = PIC.prio[n >> 3] >> (n & 7u) * 4u & 0xFu;
        if (level < bestLevel) {
            bestLevel = level;
            best = n;
        }
    }
    return best;
}

unsigned irq_dispatch_pending(uint32_t pending, unsigned max_nest)
{
    uint32_t requeued = 0;

    while (max_nest-- > 0) {
        const unsigned line = pickLine(pending & PIC.enable);
        if (line == NO_LINE)
            break;

        const uint32_t bit = (uint32_t)1 << line;
        irqHandler_t fn = irq_spurious_h;
        if (lineMap[line] != NONE)
            fn = handlerTab[lineMap[line]];

        pending &= ~bit;
        PIC.active |= bit;
        int rc = fn(line);
        PIC.active &= ~bit;
        PIC.eoi = line;

        /* one second chance per line and pass, or a stuck source starves the rest */
        if ((rc & RC_AGAIN) && !(requeued & bit)) {
            requeued |= bit;
            pending |= bit;
        }
        if (rc & RC_MASK)
            PIC.enable &= ~bit;
    }
    return pending;
}
