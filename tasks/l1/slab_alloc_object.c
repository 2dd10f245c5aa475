#include <stddef.h>
#include <stdint.h>

typedef uint8_t  U8;
typedef uint16_t U16;
typedef uint32_t U32;

#define SLAB_COUNT    8u
#define SLAB_END      0xFFu         /* any index >= SLAB_COUNT ends a list */
#define MAG_SIZE      4u
#define RESERVE_OBJS  2u

#define SLABF_ZERO      0x01u
#define SLABF_EMERGENCY 0x02u

struct slab {
  U32 used_mask;
  U16 base;
  U8 cap, colour, next;
};

struct slab_magazine {
  U8 count;
  U16 off[MAG_SIZE];
};

struct slab_cache {
  struct slab slabs[SLAB_COUNT];
  U8 partial, full, empty;
  U16 size;
  struct slab_magazine mag[2];
};

extern uint8_t slab_mem[4096];
extern volatile uint32_t slab_pressure;

extern uint32_t slab_lock(unsigned cpu);
extern void slab_unlock(unsigned cpu, uint32_t key);

static U32 capMask(const struct slab *s) {
  return s->cap >= 32 ? UINT32_MAX : ((U32)1 << s->cap) - 1u;
}

static unsigned countFree(const struct slab_cache *c, unsigned list) {
  unsigned n = 0;
  while (list < SLAB_COUNT) {
    U32 freeBits = ~c->slabs[list].used_mask & capMask(&c->slabs[list]);
    for (; freeBits != 0; freeBits &= freeBits - 1u)
      n++;
    list = c->slabs[list].next;
  }
  return n;
}

/* Fills the magazine, lowest objects of partly used slabs first. Lock is held. */
static void refill(struct slab_cache *c, struct slab_magazine *mag, unsigned floor) {
  unsigned avail = countFree(c, c->partial) + countFree(c, c->empty);

  while (mag->count < MAG_SIZE && avail > floor) {
    struct slab *s;
    unsigned idx = c->partial;
    unsigned obj = 0;
    U32 room;

    if (idx >= SLAB_COUNT) {
      /* open an empty one; there is one, or nothing would be available */
      idx = c->empty & (SLAB_COUNT - 1u);
      c->empty = c->slabs[idx].next;
      c->slabs[idx].next = SLAB_END;
      c->partial = (U8)idx;
    }
    s = &c->slabs[idx];
    room = ~s->used_mask & capMask(s);
    if (room != 0) {
      while (!(room >> obj & 1u))
        obj++;
      s->used_mask |= (U32)1 << obj;
      mag->off[mag->count++] = (U16)(s->base + s->colour * 8u + obj * c->size);
      avail--;
    }
    if ((room & (room - 1u)) == 0) {
      c->partial = s->next;
      s->next = c->full;
      c->full = (U8)idx;
    }
  }
}

void *slab_alloc_object(struct slab_cache *c, unsigned cpu, unsigned flags) {
  struct slab_magazine *mag = &c->mag[cpu & 1u];
  U8 *obj;
  unsigned i;

  if (mag->count == 0) {
    U32 key = slab_lock(cpu & 1u);
    refill(c, mag, (flags & SLABF_EMERGENCY) ? 0u : RESERVE_OBJS);
    slab_unlock(cpu & 1u, key);

    if (mag->count == 0) {
      slab_pressure++;
      return NULL;
    }
  }

  mag->count--;
  obj = &slab_mem[mag->off[mag->count & (MAG_SIZE - 1u)]];
  if (flags & SLABF_ZERO) {
    for (i = 0; i < c->size; i++)
      obj[i] = 0;
  }
  return obj;
}
