/* Firmware download over the console: receiver half of the block protocol. */
#include <stdint.h>
#include <stdbool.h>

typedef enum { XM_RUNNING = 0, XM_DONE = 1, XM_CANCELLED = 2 } xm_state;

struct xm_rx
{
  uint32_t offset;      /* where the next block goes */
  uint8_t  state;       /* xm_state */
  uint8_t  expected;    /* number of the next block */
  uint8_t  fletcher;    /* two-accumulator check instead of the plain sum */
  uint8_t  errors;      /* in a row */
  uint8_t  cancels;
  uint8_t  eot_seen;
  uint16_t repeats;
};

extern void xm_reply(uint8_t c);
extern int xm_sink(uint32_t off, const uint8_t *data, unsigned n);

enum { SOH = 0x01, STX = 0x02, EOT = 0x04, ACK = 0x06, NAK = 0x15, CAN = 0x18 };

#define MAX_ERRORS 10

static int cancel(struct xm_rx *x)
{
  xm_reply(CAN);
  xm_reply(CAN);
  x->state = XM_CANCELLED;
  return XM_CANCELLED;
}

static int reject(struct xm_rx *x)
{
  if (++x->errors >= MAX_ERRORS)
    return cancel(x);
  xm_reply(NAK);
  return XM_RUNNING;
}

static bool check_ok(const uint8_t *data, unsigned n, bool fletcher)
{
  uint32_t a = 0, b = 0;
  unsigned i;

  if (!fletcher) {
    for (i = 0; i < n; i++)
      a += data[i];
    return (uint8_t)a == data[n];
  }
  for (i = 0; i < n; i++) {
    a += data[i];
    b += a;
    if ((i & 63u) == 63u) {
      a %= 255u;
      b %= 255u;
    }
  }
  return data[n] == b % 255u && data[n + 1] == a % 255u;
}

int xmodem_rx_block(struct xm_rx *x, const uint8_t *pkt, unsigned len)
{
  unsigned size;
  uint8_t number;

  if (x->state != XM_RUNNING)
    return x->state;
  if (len == 0)
    return reject(x);           /* receive timeout */

  if (pkt[0] != CAN)
    x->cancels = 0;

  switch (pkt[0]) {
  case SOH:
    size = 128;
    break;
  case STX:
    size = 1024;
    break;
  case CAN:
    if (++x->cancels < 2)
      return XM_RUNNING;
    xm_reply(ACK);
    x->state = XM_CANCELLED;
    return XM_CANCELLED;
  case EOT:
    /* a single one may be line noise: make the sender repeat it */
    if (!x->eot_seen) {
      x->eot_seen = 1;
      xm_reply(NAK);
      return XM_RUNNING;
    }
    xm_reply(ACK);
    x->state = XM_DONE;
    return XM_DONE;
  default:
    return reject(x);
  }

  x->eot_seen = 0;
  if (len != 3 + size + (x->fletcher ? 2u : 1u))
    return reject(x);
  number = pkt[1];
  if ((number ^ pkt[2]) != 0xFF)
    return reject(x);
  if (!check_ok(pkt + 3, size, x->fletcher != 0))
    return reject(x);

  x->errors = 0;
  if (number == (uint8_t)(x->expected - 1)) {
    /* our acknowledge got lost */
    x->repeats++;
    xm_reply(ACK);
    return XM_RUNNING;
  }
  if (number != x->expected)
    return cancel(x);
  if (xm_sink(x->offset, pkt + 3, size) < 0)
    return cancel(x);

  x->offset += size;
  x->expected++;
  xm_reply(ACK);
  return XM_RUNNING;
}
