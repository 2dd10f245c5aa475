#include <stdint.h>

#define FTL_BLOCKS  8
#define FTL_PAGES   8
#define FTL_LOGICAL 64
#define NO_BLOCK    0xFF

struct ftl {
  int16_t map[FTL_LOGICAL];               /* logical page -> block * 8 + page, -1 unwritten */
  int8_t owner[FTL_BLOCKS][FTL_PAGES];    /* the way back, -1 no valid page */
  uint8_t nvalid[FTL_BLOCKS];
  uint8_t victim, cursor, open_block, open_page;
  uint16_t erases[FTL_BLOCKS];
  uint8_t bad;                            /* bit per block */
  uint8_t erased;                         /* bit per block */
};

extern int ftl_copy_page(uint32_t from, uint32_t to);
extern int ftl_erase(uint16_t block);
extern void ftl_log(const char *fmt, ...);

static int fewest_valid(const struct ftl *f)
{
  int best = -1;

  for (int b = 0; b < FTL_BLOCKS; b++) {
    if (((f->bad | f->erased) >> b) & 1)
      continue;
    if (b == f->open_block)
      continue;
    if (best < 0 || f->nvalid[b] < f->nvalid[best])
      best = b;
  }
  return best;
}

/* Makes sure open_block/open_page name a page that can be programmed. */
static int open_space(struct ftl *f)
{
  if (f->open_page < FTL_PAGES)
    return 1;
  for (unsigned b = 0; b < FTL_BLOCKS; b++) {
    if ((f->erased >> b) & 1u) {
      f->erased = (uint8_t)(f->erased & ~(1u << b));
      f->open_block = (uint8_t)b;
      f->open_page = 0;
      return 1;
    }
  }
  return 0;
}

int ftl_gc_step(struct ftl *f, unsigned budget)
{
  unsigned moved = 0;
  unsigned v;

  if (f->victim == NO_BLOCK) {
    int pick = fewest_valid(f);
    if (pick < 0)
      return 0;
    f->victim = (uint8_t)pick;
    f->cursor = 0;
  }
  v = f->victim & (FTL_BLOCKS - 1u);

  for (; f->cursor < FTL_PAGES; f->cursor++) {
    int lpn = f->owner[v][f->cursor];
    unsigned src = v * FTL_PAGES + f->cursor;
    unsigned dst;

    if (lpn < 0)
      continue;
    if (f->map[lpn & (FTL_LOGICAL - 1)] == (int)src) {
      if (moved >= budget)
        goto out;

      for (;;) {
        if (!open_space(f)) {
          ftl_log("gc: no space, block %u holds %d pages\n", v, (int)f->nvalid[v]);
          return -1;
        }
        dst = f->open_block * (unsigned)FTL_PAGES + f->open_page;
        if (ftl_copy_page(src, dst) == 0)
          break;
        /* program failure: give the page up */
        f->owner[f->open_block & (FTL_BLOCKS - 1)][f->open_page] = -1;
        f->open_page++;
      }
      f->owner[f->open_block & (FTL_BLOCKS - 1)][f->open_page] = (int8_t)lpn;
      f->nvalid[f->open_block & (FTL_BLOCKS - 1)]++;
      f->open_page++;
      f->map[lpn & (FTL_LOGICAL - 1)] = (int16_t)dst;
      moved++;
    }
    /* moved, or written anew behind our back */
    f->owner[v][f->cursor] = -1;
    f->nvalid[v]--;
  }

  if (ftl_erase((uint16_t)v) != 0) {
    f->bad |= (uint8_t)(1u << v);
    ftl_log("gc: block %u failed after %u erases\n", v, (unsigned)f->erases[v]);
  } else {
    f->erased |= (uint8_t)(1u << v);
    if (f->erases[v] < UINT16_MAX)
      f->erases[v]++;
  }
  f->victim = NO_BLOCK;

out:
  return (int)moved;
}
