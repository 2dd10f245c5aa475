/*
 * Radio configuration to air interface.
 * All fields big endian, no padding.  See ICD 4.2 (v1, v2) and 5.1 (v3).
 */
#include <stdint.h>
#include <stdbool.h>

struct tone_cfg {
  uint8_t  kind;                        /* 0: none */
  uint16_t rx_dhz;
  uint16_t tx_dhz;
} __attribute__((packed));

struct radio_cfg {
  uint32_t rx_hz;
  uint32_t tx_hz;
  struct {
    uint16_t modulation : 3;
    uint16_t squelch    : 4;
    uint16_t narrow     : 1;
    uint16_t vox        : 1;
    uint16_t lockout    : 2;
    uint16_t            : 5;
  } flags;
  int16_t  power_qdb;                   /* quarter dBm */
  int16_t  trim;                        /* reference offset, ppm/100 */
  char     call[6];
  struct tone_cfg tone;
  struct {
    uint8_t  count;                     /* 0: none */
    uint8_t  dwell_ds;
    uint16_t mask;
  } scan;
};

#define BASE_HZ    136000000u
#define STEP_V1    12500u
#define STEP_V2    6250u

struct bitbuf {
  uint8_t  *p;
  unsigned  n;
};

/* out of line: forty calls, and the flash is full */
__attribute__((noinline))
static void put(struct bitbuf *b, uint64_t value, unsigned width)
{
  while (width-- != 0) {
    uint8_t m = (uint8_t)(0x80u >> (b->n & 7u));

    if ((value >> width) & 1u)
      b->p[b->n >> 3] |= m;
    else
      b->p[b->n >> 3] &= (uint8_t)~m;
    b->n++;
  }
}

static uint32_t channel(uint32_t hz, uint32_t step)
{
  if (hz < BASE_HZ)
    return 0;
  uint32_t ch = (hz - BASE_HZ) / step;
  if ((hz - BASE_HZ) % step >= step / 2)
    ch++;
  return ch > 0xFFFFu ? 0xFFFFu : ch;
}

static unsigned glyph(char c)
{
  if (c >= 'A' && c <= 'Z')
    return (unsigned)(c - 'A') + 1u;
  if (c >= 'a' && c <= 'z')
    return (unsigned)(c - 'a') + 1u;
  if (c >= '0' && c <= '9')
    return (unsigned)(c - '0') + 27u;
  return c == '/' ? 37u : 0u;
}

unsigned config_pack_wire(const struct radio_cfg *c, uint8_t *out, unsigned version)
{
  struct bitbuf b = { out, 0 };
  uint32_t step;
  bool tone = c->tone.kind != 0;
  bool scan = c->scan.count != 0;

  switch (version) {
  case 1:
    step = STEP_V1;
    scan = false;                       /* came with version 2 */
    break;
  case 2:
  case 3:
    step = STEP_V2;
    break;
  default:
    return 0;
  }

  put(&b, version, 3);
  put(&b, tone, 1);
  if (version >= 2)
    put(&b, scan, 1);

  put(&b, channel(c->rx_hz, step), 16);
  put(&b, channel(c->tx_hz, step), 16);

  /* -4 dBm .. 11.75 dBm in quarters */
  int32_t q = (int32_t)c->power_qdb + 16;
  put(&b, (uint64_t)(q < 0 ? 0 : q > 63 ? 63 : q), 6);

  put(&b, c->flags.modulation, 3);
  put(&b, c->flags.squelch, 4);
  put(&b, c->flags.narrow, 1);
  if (version >= 3) {
    put(&b, c->flags.vox, 1);
    put(&b, c->flags.lockout, 2);
  }

  int32_t t = c->trim;
  if (version < 3) {
    uint32_t mag = (uint32_t)(t < 0 ? -t : t);
    put(&b, t < 0, 1);
    put(&b, mag > 2047u ? 2047u : mag, 11);
  } else {
    if (t < -2048)
      t = -2048;
    else if (t > 2047)
      t = 2047;
    put(&b, (uint32_t)t & 0xFFFu, 12);
  }

  if (version < 3) {
    for (unsigned k = 0; k < 6; k++)
      put(&b, glyph(c->call[k]), 6);
  } else {
    for (unsigned k = 0; k < 6; k += 2)
      put(&b, glyph(c->call[k]) * 38u + glyph(c->call[k + 1]), 11);
  }

  if (tone) {
    put(&b, c->tone.kind > 7 ? 7 : c->tone.kind, 3);
    put(&b, c->tone.rx_dhz > 4095 ? 4095 : c->tone.rx_dhz, 12);
    put(&b, c->tone.tx_dhz > 4095 ? 4095 : c->tone.tx_dhz, 12);
  }
  if (scan) {
    unsigned cnt = c->scan.count > 16 ? 16 : c->scan.count;

    put(&b, cnt - 1u, 4);
    put(&b, c->scan.dwell_ds, version == 2 ? 6 : 8);
    put(&b, c->scan.mask, cnt);
  }

  /* check nibble over whole nibbles, the last one filled with zeros */
  unsigned sum = 0;
  for (unsigned at = 0; at < b.n; at += 4) {
    unsigned nib = (out[at >> 3] >> (4u - (at & 4u))) & 15u;

    if (b.n - at < 4)
      nib &= 15u << (4u - (b.n - at));
    sum += nib;
  }
  put(&b, sum & 15u, 4);
  return b.n;
}
