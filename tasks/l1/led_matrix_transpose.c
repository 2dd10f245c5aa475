/* Sign driver: turn frame buffer tiles the way the panels are mounted. */
#include <stdint.h>

typedef unsigned char      u8;
typedef unsigned long long u64;

extern uint16_t blank_tiles;    /* statistics page */

enum {
  OR_MASK       = 7,
  OR_SERPENTINE = 8,            /* odd panels hang upside down in the chain */
  OR_INVERT     = 16
};

/* byte k of the word is row k, bit 7 of a row is its left pixel */

static u64 swap_step(u64 x, unsigned sh, u64 mask)
{
  u64 t = (x ^ (x >> sh)) & mask;
  return x ^ t ^ (t << sh);
}

static u64 transposed(u64 x)    /* along the diagonal from bit 0 of row 0 */
{
  x = swap_step(x,  7, 0x00AA00AA00AA00AAull);
  x = swap_step(x, 14, 0x0000CCCC0000CCCCull);
  return swap_step(x, 28, 0x00000000F0F0F0F0ull);
}

static u64 upside_down(u64 x)
{
  x = ((x >> 8) & 0x00FF00FF00FF00FFull) | ((x & 0x00FF00FF00FF00FFull) << 8);
  x = ((x >> 16) & 0x0000FFFF0000FFFFull) | ((x & 0x0000FFFF0000FFFFull) << 16);
  return (x >> 32) | (x << 32);
}

static u64 mirrored(u64 x)
{
  x = ((x >> 1) & 0x5555555555555555ull) | ((x & 0x5555555555555555ull) << 1);
  x = ((x >> 2) & 0x3333333333333333ull) | ((x & 0x3333333333333333ull) << 2);
  return ((x >> 4) & 0x0F0F0F0F0F0F0F0Full) | ((x & 0x0F0F0F0F0F0F0F0Full) << 4);
}

void led_matrix_transpose(const uint8_t *rows, uint8_t *cols, unsigned groups, unsigned orient)
{
  for (unsigned g = 0; g < groups; g++, rows += 8, cols += 8) {
    u64 x = 0;

    for (int k = 0; k < 8; k++)
      x |= (u64)rows[k] << (8 * k);

    if (x == 0) {               /* dark stays dark, also on inverted signs */
      blank_tiles++;
      for (int k = 0; k < 8; k++)
        cols[k] = 0;
      continue;
    }

    switch (orient & OR_MASK) {
    case 0:  break;
    case 1:  x = transposed(x); break;
    case 2:  x = upside_down(x); break;
    case 3:  x = upside_down(transposed(x)); break;
    case 4:  x = mirrored(x); break;
    case 5:  x = mirrored(transposed(x)); break;
    case 6:  x = mirrored(upside_down(x)); break;
    default: x = mirrored(upside_down(transposed(x))); break;
    }

    if ((orient & OR_SERPENTINE) && (g & 1))
      x = upside_down(x);
    if (orient & OR_INVERT)
      x = ~x;

    for (int k = 0; k < 8; k++)
      cols[k] = (u8)(x >> (8 * k));
  }
}
