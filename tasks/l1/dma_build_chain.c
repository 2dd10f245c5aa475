#include <stdint.h>

typedef uint32_t u32;

struct dma_desc {
  u32 src, dst, next;
  u32 count : 12, width : 2, sinc : 1, dinc : 1, irq : 1, last : 1, burst : 3, rsvd : 11;
};

enum { XF_SRC_FIXED = 1, XF_DST_FIXED = 2, XF_IRQ_EACH = 4 };

static const u32 DESC_RAM  = 0x2007C000u;  // where the engine sees d[0]
static const u32 PAGE      = 4096;
static const u32 MAX_BEATS = 4095;

// Bytes to go before both ends are aligned to w; -1 if they never are together.
static int head_bytes(u32 src, u32 dst, u32 w, unsigned flags) {
  u32 hs = (0u - src) & (w - 1), hd = (0u - dst) & (w - 1);
  if (flags & XF_SRC_FIXED) {
    if (hs) return -1;
    hs = hd;
  }
  if (flags & XF_DST_FIXED) {
    if (hd) return -1;
    hd = hs;
  }
  return hs == hd ? (int)hs : -1;
}

int dma_build_chain(struct dma_desc *d, unsigned max, uint32_t src, uint32_t dst, uint32_t len, unsigned flags) {
  unsigned n = 0;

  while (len) {
    u32 w = 4, sh = 2, bytes = len, beats;

    if (n >= max) return -1;

    while (((src | dst) & (w - 1)) || len < w) {
      w >>= 1;
      sh--;
    }

    // A short head so that the bulk can go at full width.
    for (u32 t = 4; t > w; t >>= 1) {
      int h = head_bytes(src, dst, t, flags);
      if (h > 0 && len - (u32)h >= t) {
        bytes = (u32)h;
        break;
      }
    }

    if (!(flags & XF_SRC_FIXED)) {
      u32 room = PAGE - (src & (PAGE - 1));
      if (bytes > room) bytes = room;
    }
    if (!(flags & XF_DST_FIXED)) {
      u32 room = PAGE - (dst & (PAGE - 1));
      if (bytes > room) bytes = room;
    }

    beats = bytes >> sh;
    if (beats > MAX_BEATS) beats = MAX_BEATS;
    bytes = beats << sh;

    struct dma_desc *x = &d[n];
    x->src   = src;
    x->dst   = dst;
    x->next  = 0;
    x->count = beats;
    x->width = sh;
    x->sinc  = !(flags & XF_SRC_FIXED);
    x->dinc  = !(flags & XF_DST_FIXED);
    x->irq   = (flags & XF_IRQ_EACH) != 0;
    x->last  = 0;
    x->rsvd  = 0;
    // INCR4/8/16, but a FIFO port takes single beats only
    if (flags & (XF_SRC_FIXED | XF_DST_FIXED))
      x->burst = 0;
    else
      x->burst = beats >= 16 ? 5 : beats >= 8 ? 3 : beats >= 4 ? 1 : 0;

    if (n > 0) d[n - 1].next = DESC_RAM + 16u * n;

    if (x->sinc) src += bytes;
    if (x->dinc) dst += bytes;
    len -= bytes;
    n++;
  }

  if (n > 0) {
    d[n - 1].last = 1;
    d[n - 1].irq  = 1;
  }
  return (int)n;
}
