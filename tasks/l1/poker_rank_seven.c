#include <stdint.h>

/* Cards: rank 0 (deuce) .. 12 (ace) in bits 0..3, suit in bits 4..5. */

#define ACE 12

enum variant { STANDARD, SHORT_DECK, LOW_EIGHT };

enum category {
  HIGH_CARD = 1, ONE_PAIR, TWO_PAIR, TRIPS, STRAIGHT, FLUSH, FULL_HOUSE,
  SHORT_FLUSH, QUADS, STRAIGHT_FLUSH, FIVE_OF_A_KIND
};

static unsigned bitsIn(unsigned x) {
  unsigned n = 0;
  for (; x; x &= x - 1)
    n++;
  return n;
}

static int highest(unsigned x) {
  return 31 - __builtin_clz(x);
}

static unsigned countOf(uint64_t counts, int rank) {
  return (unsigned)(counts >> (4 * rank)) & 15u;
}

/* Top rank of the best straight that `wild` cards can complete, or -1. */
static int straightTop(unsigned ranks, unsigned wild, unsigned variant) {
  unsigned low = variant == SHORT_DECK ? 0x10F0 : 0x100F;     /* A6789 or A2345 */
  int lowTop = variant == SHORT_DECK ? 7 : 3;
  int bottom = variant == SHORT_DECK ? 8 : 4;

  for (int top = ACE; top >= bottom; top--)
    if (bitsIn(ranks >> (top - 4) & 31u) + wild >= 5)
      return top;
  return bitsIn(ranks & low) + wild >= 5 ? lowTop : -1;
}

/* The n highest ranks of a set, one nibble each; `wild` cards fill the highest gaps. */
static uint32_t topRanks(unsigned ranks, unsigned n, unsigned wild) {
  uint32_t v = 0;
  while (wild--)
    ranks |= 1u << highest(~ranks & 0x1FFF);
  while (n--) {
    int r = highest(ranks);
    v = v << 4 | (uint32_t)r;
    ranks ^= 1u << r;
  }
  return v;
}

/* Best low of five different ranks up to eight, ace counts as one. */
static uint32_t lowHand(unsigned ranks, unsigned wild) {
  unsigned low = (ranks << 1 | ranks >> ACE) & 0xFF, n;
  uint32_t v = 0;
  while (wild--)
    low |= low + 1;                     /* the lowest gap */
  for (n = 0; n < 5 && low; n++, low &= low - 1)
    v |= (uint32_t)highest(low & -low) << (4 * n);
  return n == 5 ? ~v : 0;
}

uint32_t poker_rank_seven(const uint8_t *cards, unsigned n, unsigned wild_mask, unsigned variant) {
  uint64_t counts = 0, seen = 0;
  uint16_t suits[4] = {0, 0, 0, 0};
  unsigned ranks = 0, wild = 0, group, pair, rest;
  /* with 36 cards a flush is rarer than a full house */
  const uint32_t flushRank = variant == SHORT_DECK ? SHORT_FLUSH : FLUSH;
  uint32_t best = 0, kind;
  int first = -1, second = -1, top;

  if (n < 5 || n > 7 || variant > LOW_EIGHT)
    return 0;
  for (unsigned i = 0; i < n; i++) {
    unsigned rank = cards[i] & 15u, suit = cards[i] >> 4;
    uint64_t bit;

    if (wild_mask >> i & 1) {
      if (++wild > 2)
        return 0;
      continue;
    }
    if (rank > ACE || suit > 3)
      return 0;
    bit = 1ULL << (16 * suit + rank);
    if (seen & bit)
      return 0;
    seen |= bit;
    counts += 1ULL << (4 * rank);
    suits[suit] |= (uint16_t)(1u << rank);
    ranks |= 1u << rank;
  }
  if (variant == LOW_EIGHT)
    return lowHand(ranks, wild);

  /* Largest group first, the higher rank among equals; wild cards go there. */
  for (unsigned m = ranks; m; m ^= 1u << highest(m)) {
    int r = highest(m);
    if (first < 0 || countOf(counts, r) > countOf(counts, first)) {
      second = first;
      first = r;
    } else if (second < 0 || countOf(counts, r) > countOf(counts, second)) {
      second = r;
    }
  }
  group = countOf(counts, first) + wild;
  pair = second < 0 ? 0 : countOf(counts, second);
  rest = ranks & ~(1u << first);
  if (group >= 5)
    return (uint32_t)FIVE_OF_A_KIND << 20 | (uint32_t)first << 16;

  for (unsigned s = 0; s < 4; s++) {
    if (bitsIn(suits[s]) + wild < 5)
      continue;
    top = straightTop(suits[s], wild, variant);
    if (top >= 0)
      best = (uint32_t)STRAIGHT_FLUSH << 20 | (uint32_t)top << 16;
    else
      best = flushRank << 20 | topRanks(suits[s], 5, wild);
  }

  /* The best hand without regard to suits; a flush found above may still beat it. */
  if (group == 4)
    kind = (uint32_t)QUADS << 20 | (uint32_t)first << 16 | topRanks(rest, 1, 0) << 12;
  else if (group == 3 && pair >= 2)
    kind = (uint32_t)FULL_HOUSE << 20 | (uint32_t)first << 16 | (uint32_t)second << 12;
  else if ((top = straightTop(ranks, wild, variant)) >= 0)
    kind = (uint32_t)STRAIGHT << 20 | (uint32_t)top << 16;
  else if (group == 3)
    kind = (uint32_t)TRIPS << 20 | (uint32_t)first << 16 | topRanks(rest, 2, 0) << 8;
  else if (group == 2 && pair == 2)
    kind = (uint32_t)TWO_PAIR << 20 | (uint32_t)first << 16 | (uint32_t)second << 12 |
           topRanks(rest & ~(1u << second), 1, 0) << 8;
  else if (group == 2)
    kind = (uint32_t)ONE_PAIR << 20 | (uint32_t)first << 16 | topRanks(rest, 3, 0) << 4;
  else
    kind = (uint32_t)HIGH_CARD << 20 | topRanks(ranks, 5, 0);
  return kind > best ? kind : best;
}
