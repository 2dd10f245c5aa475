#include <stdbool.h>
#include <stdint.h>

#define UART_RBR 0x00u
#define UART_LSR 0x14u
#define UART_ICR 0x20u

#define LSR_DR   0x01u
#define ICR_OE   0x02u

/* line errors delivered with each data word */
enum rx_err { RXE_OVERRUN, RXE_PARITY, RXE_FRAMING, RXE_BREAK, RXE_KINDS };
#define RXE_BIT(e) (1u << (8 + (e)))

#define RING_MASK 63u
#define MARK      0xFFu

struct uart_port {
  unsigned base;
  uint8_t ring[64];
  uint8_t head, tail, parity_mode;
  uint8_t err[4];
  uint16_t dropped;
  bool brk;
};

extern uint32_t uart_reg_read(unsigned base, unsigned offset);
extern void uart_reg_write(unsigned base, unsigned offset, uint32_t value);

static unsigned ring_room(const struct uart_port *p) {
  return (p->tail - p->head - 1u) & RING_MASK;
}

static void ring_put(struct uart_port *p, uint8_t c) {
  p->ring[p->head & RING_MASK] = c;
  p->head = (uint8_t)((p->head + 1u) & RING_MASK);
}

unsigned uart_rx_drain_isr(struct uart_port *p) {
  unsigned stored = 0;
  bool ack_overrun = false;

  /* never stay longer than one FIFO, whatever the line does */
  for (int left = 16; left > 0; left--) {
    if (!(uart_reg_read(p->base, UART_LSR) & LSR_DR))
      break;
    uint32_t word = uart_reg_read(p->base, UART_RBR);
    uint8_t c = (uint8_t)word;

    for (unsigned e = 0; e < RXE_KINDS; e++) {
      if ((word & RXE_BIT(e)) && p->err[e] != UINT8_MAX)
        p->err[e]++;
    }
    if (word & RXE_BIT(RXE_OVERRUN))
      ack_overrun = true;

    if (word & RXE_BIT(RXE_BREAK)) {
      p->brk = true; /* the byte of a break is no data */
      continue;
    }

    bool bad = (word & RXE_BIT(RXE_PARITY)) != 0;
    bool mark = false;
    if (p->parity_mode == 2)
      mark = bad || c == MARK; /* a genuine 0xFF is doubled */
    else if (p->parity_mode == 1 && bad)
      c = 0;

    /* a marked byte goes in whole or not at all */
    if (ring_room(p) < (mark ? 2u : 1u)) {
      if (p->dropped < UINT16_MAX)
        p->dropped++;
      continue;
    }
    if (mark) {
      ring_put(p, MARK);
      stored++;
    }
    ring_put(p, c);
    stored++;
  }

  if (ack_overrun)
    uart_reg_write(p->base, UART_ICR, ICR_OE);
  return stored;
}
