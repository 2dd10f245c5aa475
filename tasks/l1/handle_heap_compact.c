#include <stdint.h>
#include <stddef.h>

#define HH_BYTES    512u
#define HH_HANDLES  24u
#define HH_USED     0x01u
#define HH_PURGE    0x02u   /* contents can be had again */

typedef void (*hh_moved_fn)(unsigned handle, unsigned from, unsigned to);

struct hheap {
   uint8_t  mem[HH_BYTES];
   struct {
      uint16_t off, len;
      uint8_t  locks, flags;
   } h[HH_HANDLES];
   hh_moved_fn moved;
};

extern void handle_moved_cb(unsigned handle, unsigned from, unsigned to);

/* Blocks are visited by offset; empty ones before what starts at the same place. */
static uint32_t block_key(const struct hheap *h, unsigned i)
{
   return ((uint32_t)h->h[i].off * (HH_BYTES + 1u) + h->h[i].len) * HH_HANDLES + i + 1u;
}

/* Handle with the lowest key above *key, which it updates; HH_HANDLES at the end. */
static unsigned next_block(const struct hheap *h, uint32_t *key)
{
   uint32_t best = UINT32_MAX;
   unsigned i, found = HH_HANDLES;

   for (i = 0; i < HH_HANDLES; i++) {
      uint32_t k = block_key(h, i);
      if ((h->h[i].flags & HH_USED) && k > *key && k < best) {
         best = k;
         found = i;
      }
   }
   *key = best;
   return found;
}

static int purgeable(const struct hheap *h, unsigned i)
{
   return (h->h[i].flags & HH_PURGE) && h->h[i].locks == 0;
}

static unsigned largest_gap(const struct hheap *h, int after_purge)
{
   unsigned end = 0, best = 0, i;
   uint32_t key = 0;

   while ((i = next_block(h, &key)) < HH_HANDLES) {
      if (after_purge && purgeable(h, i))
         continue;
      if (h->h[i].off > end + best)
         best = h->h[i].off - end;
      end = h->h[i].off + (unsigned)h->h[i].len;
   }
   if (HH_BYTES > end + best)
      best = HH_BYTES - end;
   return best;
}

static void move_block(struct hheap *h, unsigned i, unsigned to)
{
   unsigned from = h->h[i].off, n;

   for (n = 0; n < h->h[i].len; n++)
      h->mem[to + n] = h->mem[from + n];
   h->h[i].off = (uint16_t)to;
   if (h->moved)
      h->moved(i, from, to);
}

/* An unlocked block above `limit` that fills `gap` to the byte. */
static unsigned exact_filler(const struct hheap *h, unsigned limit, unsigned gap)
{
   unsigned i;

   for (i = 0; i < HH_HANDLES; i++)
      if ((h->h[i].flags & HH_USED) && h->h[i].locks == 0 && h->h[i].off >= limit && h->h[i].len == gap)
         break;
   return i;
}

unsigned handle_heap_compact(struct hheap *h, unsigned need, unsigned max_moves)
{
   unsigned gap = largest_gap(h, 0);
   unsigned end = 0, moves = 0, i;
   uint32_t key = 0;

   if (gap < need && largest_gap(h, 1) >= need) {
      for (i = 0; i < HH_HANDLES; i++)
         if ((h->h[i].flags & HH_USED) && purgeable(h, i)) {
            h->h[i].flags &= (uint8_t)~HH_USED;
            h->h[i].len = 0;
         }
      return largest_gap(h, 0);
   }

   while (gap < need && moves < max_moves && (i = next_block(h, &key)) < HH_HANDLES) {
      unsigned who = i, at = h->h[i].off;

      if (h->h[i].locks != 0) {
         unsigned hole = at - end;
         end = at + h->h[i].len;
         if (hole == 0)
            continue;
         at -= hole;
         who = exact_filler(h, end, hole);
         if (who == HH_HANDLES)
            continue;
      } else {
         if (at == end) {
            end += h->h[i].len;
            continue;
         }
         at = end;
         end += h->h[i].len;
      }
      move_block(h, who, at);
      moves++;
      gap = largest_gap(h, 0);
   }
   return gap;
}
