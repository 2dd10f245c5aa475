#include <stdint.h>

typedef uint8_t  byte;
typedef uint16_t word;

/* lo and hi as the machines we run on keep them */
typedef union { word w; struct { byte lo, hi; } b; } pair;

struct z80 {
  pair af, bc, de, hl, ix, iy, wz;
  word sp, pc;
  byte r;
};

extern uint8_t z80_mem_rd(uint16_t a);
extern void    z80_mem_wr(uint16_t a, uint8_t v);

#define FLAG_C  0x01
#define FLAG_N  0x02
#define FLAG_PV 0x04
#define FLAG_3  0x08
#define FLAG_H  0x10
#define FLAG_5  0x20
#define FLAG_Z  0x40
#define FLAG_S  0x80

static byte *reg8(struct z80 *z, unsigned n) {
  switch (n) {
    case 0: return &z->bc.b.hi;
    case 1: return &z->bc.b.lo;
    case 2: return &z->de.b.hi;
    case 3: return &z->de.b.lo;
    case 4: return &z->hl.b.hi;
    case 5: return &z->hl.b.lo;
    case 7: return &z->af.b.hi;
  }
  return 0; /* memory */
}

static byte parity(byte v) {
  v ^= v >> 4;
  v ^= v >> 2;
  v ^= v >> 1;
  return (v & 1) ? 0 : FLAG_PV;
}

static byte rotate(struct z80 *z, unsigned kind, byte v) {
  unsigned carry_in = z->af.b.lo & FLAG_C, carry, r;

  carry = (kind & 1) ? v & 1u : v >> 7;
  switch (kind) {
    case 0:  r = v << 1 | v >> 7; break;                 /* rlc */
    case 1:  r = v >> 1 | v << 7; break;                 /* rrc */
    case 2:  r = v << 1 | carry_in; break;               /* rl  */
    case 3:  r = v >> 1 | carry_in << 7; break;          /* rr  */
    case 4:  r = v << 1; break;                          /* sla */
    case 5:  r = v >> 1 | (v & 0x80u); break;            /* sra */
    case 6:  r = v << 1 | 1u; break;                     /* sll, not in the book */
    default: r = v >> 1; break;                          /* srl */
  }
  v = (byte)r;
  z->af.b.lo = (byte)((v & (FLAG_S | FLAG_5 | FLAG_3)) | (v ? 0 : FLAG_Z) | parity(v) | carry);
  return v;
}

unsigned z80_cb_execute(struct z80 *z, uint8_t op, int8_t disp, unsigned index_mode) {
  unsigned group = op >> 6, bit = (op >> 3) & 7u;
  byte *reg = reg8(z, op & 7u);
  byte v, mask = (byte)(1u << bit), undoc;
  word ea = z->hl.w;

  switch (index_mode) {
    case 0:  break;
    case 1:  ea = z->wz.w = (word)(z->ix.w + disp); break;
    default: ea = z->wz.w = (word)(z->iy.w + disp); break;
  }

  if (index_mode != 0 || !reg)
    v = z80_mem_rd(ea);
  else
    v = *reg;

  if (group == 1) {                                      /* bit b, x */
    undoc = v;
    if (index_mode != 0 || !reg)
      undoc = z->wz.b.hi;
    z->af.b.lo = (byte)((z->af.b.lo & FLAG_C) | FLAG_H | (undoc & (FLAG_5 | FLAG_3)));
    if (!(v & mask))
      z->af.b.lo |= FLAG_Z | FLAG_PV;
    else if (bit == 7)
      z->af.b.lo |= FLAG_S;
    if (index_mode != 0)
      return 20;
    return reg ? 8 : 12;
  }

  if (group == 0)
    v = rotate(z, bit, v);
  else if (group == 2)
    v = (byte)(v & ~mask);
  else
    v |= mask;

  if (reg)
    *reg = v;                                            /* with an index, a copy nobody documented */
  if (index_mode != 0) {
    z80_mem_wr(ea, v);
    return 23;
  }
  if (reg)
    return 8;
  z80_mem_wr(ea, v);
  return 15;
}
