#include <stdint.h>
#include <stdbool.h>

struct dbc_sig {
  uint16_t start;
  uint8_t bits;
  uint8_t motorola : 1, is_signed : 1, is_float : 1;
  double scale, offset;
  double lo, hi; /* no limits when lo >= hi */
};

static uint64_t take_intel(const uint8_t *data, unsigned pos, unsigned bits) {
  uint64_t raw = 0;
  unsigned done = 0;

  while (done < bits) {
    unsigned shift = pos & 7u;
    unsigned chunk = 8u - shift;
    if (chunk > bits - done)
      chunk = bits - done;
    uint64_t part = ((unsigned)data[pos >> 3] >> shift) & ((1u << chunk) - 1u);
    raw |= part << done;
    done += chunk;
    pos += chunk;
  }
  return raw;
}

/* pos counts from the most significant bit of byte 0 */
static uint64_t take_motorola(const uint8_t *data, unsigned pos, unsigned bits) {
  uint64_t raw = 0;

  while (bits > 0) {
    unsigned avail = 8u - (pos & 7u);
    unsigned chunk = avail < bits ? avail : bits;
    unsigned part = ((unsigned)data[pos >> 3] >> (avail - chunk)) & ((1u << chunk) - 1u);
    raw = raw << chunk | part;
    bits -= chunk;
    pos += chunk;
  }
  return raw;
}

bool dbc_signal_decode(const uint8_t *data, unsigned len, const struct dbc_sig *s, double *value) {
  unsigned bits = s->bits;
  unsigned pos = s->start;
  uint64_t raw;
  double v;

  if (bits == 0 || bits > 64)
    return false;
  if (s->motorola)
    pos ^= 7u; /* DBC numbers bits from the right within a byte */
  if (pos + bits > len * 8u)
    return false;

  raw = s->motorola ? take_motorola(data, pos, bits) : take_intel(data, pos, bits);

  if (s->is_float) {
    if (bits == 32) {
      union { uint32_t u; float f; } x = { .u = (uint32_t)raw };
      if ((x.u & 0x7F800000u) == 0x7F800000u)
        return false;
      v = x.f;
    } else if (bits == 64) {
      union { uint64_t u; double d; } x = { .u = raw };
      if ((x.u >> 52 & 0x7FFu) == 0x7FFu)
        return false;
      v = x.d;
    } else {
      return false;
    }
  } else if (s->is_signed) {
    if (bits < 64 && (raw >> (bits - 1) & 1u))
      raw |= ~(uint64_t)0 << bits;
    v = (double)(int64_t)raw;
  } else {
    v = (double)raw;
  }

  v = v * s->scale + s->offset;
  if (s->lo < s->hi) {
    if (v < s->lo)
      v = s->lo;
    else if (v > s->hi)
      v = s->hi;
  }
  *value = v;
  return true;
}
