#include <stdint.h>

/*
 * Heap of 32-bit words. A block is header, payload, footer; header and footer
 * are the same tag: size in words (tags included), bit 31 in use, bit 30 such
 * that the number of ones in the whole tag is even.
 */
#define TAG_USED   0x80000000u
#define TAG_GUARD  0x40000000u
#define TAG_SIZE   0x3fffffffu
#define MIN_BLOCK  4u

extern void heap_panic_log(const char *fmt, ...);

static uint32_t odd_ones (uint32_t v)
{
  v ^= v >> 16;
  v ^= v >> 8;
  v ^= v >> 4;
  return (0x6996u >> (v & 15u)) & 1u;
}

static void mark (uint32_t *heap, uint32_t at, uint32_t size, uint32_t used)
{
  uint32_t tag = size | used;

  if (odd_ones (tag))
    tag |= TAG_GUARD;
  heap[at] = tag;
  heap[at + size - 1] = tag;
}

/* Size of the block with its header at AT, 0 if its tags are damaged. */
static uint32_t block_size (const uint32_t *heap, uint32_t words, uint32_t at)
{
  uint32_t tag = heap[at];
  uint32_t size = tag & TAG_SIZE;

  if (size < 3 || size > words - at)
    return 0;
  if (heap[at + size - 1] != tag || odd_ones (tag))
    return 0;
  return size;
}

/* Turns SIZE words at AT into a used block of NEED words and, if it pays, a free rest. */
static void carve (uint32_t *heap, uint32_t at, uint32_t size, uint32_t need)
{
  if (size - need >= MIN_BLOCK)
    {
      mark (heap, at, need, TAG_USED);
      mark (heap, at + need, size - need, 0);
    }
  else
    mark (heap, at, size, TAG_USED);
}

uint32_t heap_realloc_inplace (uint32_t *heap, uint32_t words, uint32_t at, uint32_t want_bytes)
{
  uint32_t h, size, need, next, next_size = 0, prev = 0, prev_size = 0;
  uint32_t i, k, bad;

  if (at == 0 || at >= words)
    {
      heap_panic_log ("heap: no block at %u\n", (unsigned) at);
      return 0;
    }

  h = at - 1;
  bad = h;
  size = block_size (heap, words, h);
  if (size == 0 || !(heap[h] & TAG_USED))
    goto damaged;

  next = h + size;
  if (next < words)
    {
      bad = next;
      next_size = block_size (heap, words, next);
      if (next_size == 0)
        goto damaged;
      if (heap[next] & TAG_USED)
        next_size = 0;
    }

  if (h > 0)
    {
      bad = h - 1;
      prev_size = heap[h - 1] & TAG_SIZE;
      if (prev_size > h)
        goto damaged;
      prev = h - prev_size;
      if (prev_size == 0 || block_size (heap, words, prev) != prev_size)
        goto damaged;
      if (heap[prev] & TAG_USED)
        prev_size = 0;
    }

  if (want_bytes == 0)
    {
      if (prev_size != 0)
        h = prev;
      mark (heap, h, prev_size + size + next_size, 0);
      return 0;
    }

  need = want_bytes / 4 + (want_bytes % 4 != 0) + 2;
  if (need < MIN_BLOCK)
    need = MIN_BLOCK;

  if (need <= size)
    {
      /* a rest worth having joins a free neighbour */
      if (size - need >= MIN_BLOCK)
        carve (heap, h, size + next_size, need);
      return at;
    }
  if (need <= size + next_size)
    {
      carve (heap, h, size + next_size, need);
      return at;
    }
  if (prev_size != 0 && need <= prev_size + size + next_size)
    {
      for (i = 1; i < size - 1; i++)
        heap[prev + i] = heap[h + i];
      carve (heap, prev, prev_size + size + next_size, need);
      return prev + 1;
    }

  for (i = 0; i < words; i += k)
    {
      bad = i;
      k = block_size (heap, words, i);
      if (k == 0)
        goto damaged;
      if ((heap[i] & TAG_USED) || k < need)
        continue;
      carve (heap, i, k, need);
      for (k = 1; k < size - 1; k++)
        heap[i + k] = heap[h + k];
      if (prev_size != 0)
        h = prev;
      mark (heap, h, prev_size + size + next_size, 0);
      return i + 1;
    }
  return 0;

damaged:
  heap_panic_log ("heap: damaged tag at %u: %08x\n", (unsigned) bad, (unsigned) heap[bad]);
  return 0;
}
