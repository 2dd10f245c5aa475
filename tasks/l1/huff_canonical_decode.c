#include <stdint.h>
#include <stdbool.h>

enum {
  MAX_LEN = 12,
  MAX_SYMS = 64,
  REPEAT_MIN = 3,

  ERR_OVERSUBSCRIBED = -1,
  ERR_INCOMPLETE = -2,
  ERR_NO_CODE = -3,
  ERR_BITS_OUT = -4,
  ERR_CAPACITY = -5,
  ERR_REPEAT_FIRST = -6,
  ERR_LENGTHS = -7,
};

struct bit_source {
  const uint8_t *data;
  unsigned pos;
  unsigned end;
};

struct code_book {
  uint8_t symbol[MAX_SYMS];     /* by length, then by number */
  uint16_t count[MAX_LEN + 1];  /* codes of each length */
  unsigned longest;
};

static int next_bit(struct bit_source *b) {
  if (b->pos >= b->end)
    return -1;
  int bit = b->data[b->pos >> 3] >> (7 - (b->pos & 7)) & 1;
  b->pos++;
  return bit;
}

static int build(struct code_book *book, const uint8_t *lens, unsigned nsyms) {
  uint16_t start[MAX_LEN + 2];
  int spare = 1;  /* codes of the current length not yet given away */

  for (unsigned len = 0; len <= MAX_LEN; len++)
    book->count[len] = 0;
  for (unsigned s = 0; s < nsyms; s++) {
    if (lens[s] > MAX_LEN)
      return ERR_LENGTHS;
    book->count[lens[s]]++;
  }

  book->longest = 0;
  start[1] = 0;
  for (unsigned len = 1; len <= MAX_LEN; len++) {
    spare = 2 * spare - book->count[len];
    if (spare < 0)
      return ERR_OVERSUBSCRIBED;
    if (book->count[len])
      book->longest = len;
    start[len + 1] = (uint16_t)(start[len] + book->count[len]);
  }
  /* the packer gives a lone symbol one bit, although none would do */
  if (spare > 0 && book->longest != 1)
    return ERR_INCOMPLETE;

  for (unsigned s = 0; s < nsyms; s++)
    if (lens[s])
      book->symbol[start[lens[s]]++] = (uint8_t)s;
  return 0;
}

static int decode_symbol(const struct code_book *book, struct bit_source *b) {
  int code = 0, first = 0, index = 0;

  for (unsigned len = 1; len <= book->longest; len++) {
    int bit = next_bit(b);
    if (bit < 0)
      return ERR_BITS_OUT;
    code |= bit;
    int n = book->count[len];
    if (code - first < n)
      return book->symbol[index + code - first];
    index += n;
    first = (first + n) << 1;
    code <<= 1;
  }
  return ERR_NO_CODE;
}

/* Glyph bitmaps of the display fonts. The last two symbols are no bytes: nsyms - 1
 * ends the glyph, nsyms - 2 repeats the byte before. */
int huff_canonical_decode(const uint8_t *lens, unsigned nsyms, const uint8_t *bits,
                          unsigned nbits, uint8_t *out, unsigned cap) {
  struct code_book book;
  struct bit_source src = {bits, 0, nbits};
  unsigned produced = 0;

  if (nsyms < 2 || nsyms > MAX_SYMS)
    return ERR_LENGTHS;
  int err = build(&book, lens, nsyms);
  if (err)
    return err;

  while (true) {
    int sym = decode_symbol(&book, &src);
    if (sym < 0)
      return sym;
    if (sym == (int)nsyms - 1)
      return (int)produced;

    if (sym != (int)nsyms - 2) {
      if (produced == cap)
        return ERR_CAPACITY;
      out[produced++] = (uint8_t)sym;
      continue;
    }

    if (produced == 0)
      return ERR_REPEAT_FIRST;
    int extra = 0;
    for (int i = 0; i < 3; i++) {
      int bit = next_bit(&src);
      if (bit < 0)
        return ERR_BITS_OUT;
      extra = 2 * extra + bit;
    }
    for (int i = 0; i < REPEAT_MIN + extra; i++) {
      if (produced == cap)
        return ERR_CAPACITY;
      out[produced] = out[produced - 1];
      produced++;
    }
  }
}
