#include <stdint.h>

typedef uint8_t  u8;
typedef uint32_t u32;
typedef uint64_t u64;

/* Key blobs as the provisioning station wraps them: XTEA, CBC, big endian. */
enum {
  WRAP_PADDED   = 0,  // 1..8 bytes, each the number of them
  WRAP_STOLEN   = 1,  // any length above one block
  WRAP_ZEROTAIL = 2,  // a block of zeros proves the key
};

enum {
  UNWRAP_EMODE = -1,
  UNWRAP_ESIZE = -2,
  UNWRAP_EPAD  = -3,
  UNWRAP_EKEY  = -4,
};

#define DELTA 0x9E3779B9u

static u64 Load(const u8 *p) {
  u64 v = 0;
  for (int i = 0; i < 8; i++) v = v << 8 | p[i];
  return v;
}

static void Store(u8 *p, u64 v) {
  for (int i = 7; i >= 0; i--, v >>= 8) p[i] = (u8)v;
}

static u64 Decipher(const u32 *k, u64 block) {
  u32 a = (u32)(block >> 32), b = (u32)block;
  u32 sum = DELTA * 32u;
  while (sum) {
    b -= (((a << 4) ^ (a >> 5)) + a) ^ (sum + k[(sum >> 11) & 3]);
    sum -= DELTA;
    a -= (((b << 4) ^ (b >> 5)) + b) ^ (sum + k[sum & 3]);
  }
  return (u64)a << 32 | b;
}

int xtea_cbc_unwrap(const uint32_t key[4], uint8_t *buf, unsigned n, uint64_t iv, unsigned mode) {
  unsigned tail = n % 8, end = n - tail;

  if (mode > WRAP_ZEROTAIL) return UNWRAP_EMODE;
  if (mode == WRAP_STOLEN ? n < 9 : (n == 0 || tail != 0)) return UNWRAP_ESIZE;

  if (tail) {
    // The last whole block hides the bytes that were stolen to fill the short one.
    u8 *whole = buf + end - 8;
    u64 x = Decipher(key, Load(whole));
    u64 borrowed = 0;
    for (unsigned i = 0; i < 8; i++) {
      u8 xb = (u8)(x >> (56 - 8 * i));
      if (i < tail) {
        borrowed = borrowed << 8 | buf[end + i];
        buf[end + i] ^= xb;
      } else {
        borrowed = borrowed << 8 | xb;
      }
    }
    u64 before = end >= 16 ? Load(whole - 8) : iv;
    Store(whole, Decipher(key, borrowed) ^ before);
    end -= 8;
  }

  // Last block first: the one before is still cipher text when we need it.
  while (end >= 8) {
    end -= 8;
    u64 before = end ? Load(buf + end - 8) : iv;
    Store(buf + end, Decipher(key, Load(buf + end)) ^ before);
  }

  if (mode == WRAP_STOLEN) return (int)n;

  if (mode == WRAP_ZEROTAIL) {
    if (Load(buf + n - 8)) return UNWRAP_EKEY;
    return (int)n - 8;
  }

  // Eight steps whatever the value is, so that timing tells nothing.
  u32 pad = buf[n - 1], bad = (u32)(pad - 1u > 7u);
  for (u32 i = 0; i < 8; i++) {
    u32 mask = 0u - ((i - pad) >> 31);
    bad |= mask & (buf[n - 1 - i] ^ pad);
  }
  return bad ? UNWRAP_EPAD : (int)(n - pad);
}
