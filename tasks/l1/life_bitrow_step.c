#include <stdint.h>

/* Cellular automaton for the screen saver: 32 cells a row, one bit each. */

#define LIFE_TORUS_X    1u
#define LIFE_TORUS_Y    2u

#define LIFE_STILL      0x80000000u
#define LIFE_CYCLE      0x40000000u

#define LIFE_RING       6u

struct life_ring {
  uint32_t print[LIFE_RING];
  uint8_t  at;
};

extern struct life_ring life_past;

static unsigned population (uint32_t x)
{
  unsigned n;

  for (n = 0; x != 0; n++)
    x &= x - 1;
  return n;
}

/* sum of the two side neighbours (and the cell itself, for the rows above and below) */
static void side_sum (uint32_t row, uint32_t middle, unsigned torus, uint32_t *ones, uint32_t *twos)
{
  uint32_t l = row << 1, r = row >> 1;

  if (torus) {
    l |= row >> 31;
    r |= row << 31;
  }
  *ones = l ^ r ^ middle;
  *twos = (l & r) | (l & middle) | (r & middle);
}

unsigned life_bitrow_step (uint32_t *rows, unsigned n, unsigned flags, uint16_t rule)
{
  uint32_t above, first, print = 0x811C9DC5u, changed = 0;
  unsigned alive = 0, status = 0, i, k;

  if (n == 0)
    return 0;
  first = rows[0];
  above = (flags & LIFE_TORUS_Y) ? rows[n - 1] : 0;

  for (i = 0; i < n; i++) {
    uint32_t cell = rows[i], below, next = 0;
    uint32_t a1, a2, b1, b2, c1, c2, carry, s1, s2, s4, s8, p, q, four;

    if (i + 1 < n)
      below = rows[i + 1];
    else
      below = (flags & LIFE_TORUS_Y) ? first : 0;

    side_sum (above, above, flags & LIFE_TORUS_X, &a1, &a2);
    side_sum (cell, 0, flags & LIFE_TORUS_X, &b1, &b2);
    side_sum (below, below, flags & LIFE_TORUS_X, &c1, &c2);

    s1 = a1 ^ b1 ^ c1;
    carry = (a1 & b1) | (a1 & c1) | (b1 & c1);
    p = a2 ^ b2;
    q = c2 ^ carry;
    s2 = p ^ q;
    four = p & q;
    s4 = (a2 & b2) ^ (c2 & carry) ^ four;
    s8 = a2 & b2 & c2 & carry;

    for (k = 0; k <= 8; k++) {
      uint32_t is_k = ((k & 1) ? s1 : ~s1) & ((k & 2) ? s2 : ~s2)
                    & ((k & 4) ? s4 : ~s4) & ((k & 8) ? s8 : ~s8);

      if (rule >> k & 1)
        next |= is_k & ~cell;
      /* survival with 1..7 neighbours lies above the nine birth bits */
      if (k >= 1 && k <= 7 && (rule >> (k + 8) & 1))
        next |= is_k & cell;
    }

    above = cell;
    rows[i] = next;
    changed |= next ^ cell;
    alive += population (next);
    print = (print ^ next) * 0x01000193u;
    print ^= print >> 15;
  }

  if (changed == 0)
    status |= LIFE_STILL;
  for (k = 0; k < LIFE_RING; k++)
    if (life_past.print[k] == print) {
      status |= LIFE_CYCLE;
      break;
    }
  if (life_past.at >= LIFE_RING)
    life_past.at = 0;
  life_past.print[life_past.at++] = print;
  return alive | status;
}
