#include <stdint.h>

#define NPAR 4
#define NO_ERASURE 0xFFFFu

/* a^(16 k), field polynomial 0x11D */
static const uint8_t big_step[16] = {
  0x01, 0x4C, 0x9D, 0x46, 0x5F, 0xFD, 0xD9, 0x81,
  0x85, 0xA8, 0xE6, 0xE3, 0x82, 0x51, 0x12, 0x2C,
};

static uint8_t times_a(uint8_t x) {
  return (uint8_t)((x << 1) ^ (x & 0x80 ? 0x1D : 0));
}

static uint8_t mul(uint8_t x, uint8_t y) {
  uint8_t r = 0;
  while (y) {
    if (y & 1) r ^= x;
    x = times_a(x);
    y >>= 1;
  }
  return r;
}

/* x != 0. At most 15 small steps lead from there to one of the stored powers. */
static int logarithm(uint8_t x) {
  for (int s = 0;; s++) {
    for (int k = 0; k < 16; k++)
      if (x == big_step[k]) {
        int l = 16 * k - s;
        return l < 0 ? l + 255 : l;
      }
    x = times_a(x);
  }
}

/* Sector headers: n - 4 data bytes, 4 parity bytes, highest power first.
 * 0 clean, 1 data byte mended, 2 parity byte mended, -1 beyond repair, -2 bad length */
int rs255_correct_one(uint8_t *block, unsigned n, unsigned erasure) {
  uint8_t s[NPAR] = {0, 0, 0, 0};
  unsigned at;

  if (n < NPAR + 1 || n > 255) return -2;

  for (unsigned i = 0; i < n; i++) {
    uint8_t c = block[i];
    s[0] ^= c;
    s[1] = times_a(s[1]) ^ c;
    for (int j = 2; j < NPAR; j++) {
      uint8_t t = s[j];
      for (int r = 0; r < j; r++) t = times_a(t);
      s[j] = t ^ c;
    }
  }
  if ((s[0] | s[1] | s[2] | s[3]) == 0) return 0;

  if (erasure != NO_ERASURE) {
    uint8_t x = 1;
    if (erasure >= n) return -1;
    at = erasure;
    for (unsigned p = n - 1 - at; p; p--) x = times_a(x);
    for (int j = 1; j < NPAR; j++)
      if (mul(s[j - 1], x) != s[j]) return -1;
  } else {
    /* one error e at X leaves e, eX, eXX, eXXX */
    if (!s[0] || !s[1]) return -1;
    if (mul(s[1], s[1]) != mul(s[0], s[2]) || mul(s[2], s[2]) != mul(s[1], s[3]))
      return -1;
    int p = logarithm(s[1]) - logarithm(s[0]);
    if (p < 0) p += 255;
    if ((unsigned)p >= n) return -1;
    at = n - 1 - (unsigned)p;
  }

  block[at] ^= s[0];
  return at < n - NPAR ? 1 : 2;
}
