#include <stdint.h>

typedef uint32_t u32;

#define SP 13
#define LR 14
#define PC 15

#define UNDEFINED  (-1)
#define UNALIGNED  (-2)

struct tcore {
    u32 r[16];                              /* r[PC] is the address of this instruction */
    struct { u32 v : 1, c : 1, z : 1, n : 1; } f;
    u32 retired;
};

extern uint32_t tmem_rd(uint32_t addr, unsigned bytes);
extern void tmem_wr(uint32_t addr, uint32_t val, unsigned bytes);

/* Bit k is set if the condition holds for flags k = NZCV. */
static const uint16_t condHolds[14] = {
    0xF0F0, 0x0F0F,     /* EQ NE */
    0xCCCC, 0x3333,     /* CS CC */
    0xFF00, 0x00FF,     /* MI PL */
    0xAAAA, 0x5555,     /* VS VC */
    0x0C0C, 0xF3F3,     /* HI LS */
    0xAA55, 0x55AA,     /* GE LT */
    0x0A05, 0xF5FA,     /* GT LE */
};

static void setNZ(struct tcore *t, u32 v) { t->f.n = v >> 31; t->f.z = v == 0; }

/* a + b + carry with all four flags; subtraction passes ~b */
static u32 addFlags(struct tcore *t, u32 a, u32 b, u32 carry)
{
    uint64_t wide = (uint64_t)a + b + carry;
    u32 s = (u32)wide;

    setNZ(t, s);
    t->f.c = (u32)(wide >> 32);
    t->f.v = (~(a ^ b) & (a ^ s)) >> 31;
    return s;
}

/* kind: 2 lsl, 3 lsr, 4 asr, 7 ror */
static u32 shiftReg(struct tcore *t, unsigned kind, u32 v, u32 n)
{
    u32 sign = v >> 31 ? UINT32_MAX : 0;

    n &= 0xFF;
    if (n == 0)
        return v;
    if (kind == 7) {
        n &= 31;
        v = n ? v >> n | v << (32 - n) : v;
        t->f.c = v >> 31;
        return v;
    }
    if (n > 32 || (n == 32 && kind == 4)) {
        t->f.c = kind == 4 ? sign & 1 : 0;
        return kind == 4 ? sign : 0;
    }
    if (n == 32) {
        t->f.c = kind == 2 ? v & 1 : v >> 31;
        return 0;
    }
    if (kind == 2) {
        t->f.c = v >> (32 - n) & 1;
        return v << n;
    }
    t->f.c = v >> (n - 1) & 1;
    if (kind == 4)
        return v >> n | (sign & ~(UINT32_MAX >> n));
    return v >> n;
}

static void alu(struct tcore *t, unsigned op, u32 *rd, u32 m)
{
    u32 d = *rd, r;

    switch (op) {
    case 0:  r = d & m; break;
    case 1:  r = d ^ m; break;
    case 2: case 3: case 4: case 7:
             r = shiftReg(t, op, d, m); break;
    case 5:  *rd = addFlags(t, d, m, t->f.c); return;
    case 6:  *rd = addFlags(t, d, ~m, t->f.c); return;
    case 8:  setNZ(t, d & m); return;
    case 9:  *rd = addFlags(t, 0, ~m, 1); return;
    case 10: addFlags(t, d, ~m, 1); return;
    case 11: addFlags(t, d, m, 0); return;
    case 12: r = d | m; break;
    case 13: r = d * m; break;
    case 14: r = d & ~m; break;
    default: r = ~m; break;
    }
    setNZ(t, r);
    *rd = r;
}

/* 0 is a store, 1 a load, 2 a load with sign */
static int transfer(struct tcore *t, unsigned reg, u32 addr, unsigned bytes, int how)
{
    u32 v;

    if (addr & (bytes - 1))
        return UNALIGNED;
    if (how == 0) {
        tmem_wr(addr, t->r[reg] & UINT32_MAX >> (32 - 8 * bytes), bytes);
        return 2;
    }
    v = tmem_rd(addr, bytes);
    if (bytes < 4) {
        u32 top = (u32)1 << (8 * bytes - 1);
        v &= 2 * top - 1;
        if (how == 2)
            v = (v ^ top) - top;
    }
    t->r[reg] = v;
    return 2;
}

static int pushPop(struct tcore *t, unsigned list, int load, int extra, u32 *next)
{
    u32 at = t->r[SP];
    int n = extra;

    for (unsigned i = 0; i < 8; i++)
        n += list >> i & 1;
    if (n == 0)
        return UNDEFINED;
    if (at & 3)
        return UNALIGNED;
    if (!load)
        at = t->r[SP] = at - 4 * (u32)n;
    for (unsigned i = 0; i < 8; i++) {
        if (!(list >> i & 1))
            continue;
        if (load)
            t->r[i] = tmem_rd(at, 4);
        else
            tmem_wr(at, t->r[i], 4);
        at += 4;
    }
    if (!load) {
        if (extra)
            tmem_wr(at, t->r[LR], 4);
        return 1 + n;
    }
    if (extra) {
        *next = tmem_rd(at, 4) & ~(u32)1;
        at += 4;
        n += 3;
    }
    t->r[SP] = at;
    return 1 + n;
}

int thumb_step_subset(struct tcore *t, uint16_t op)
{
    static const uint8_t size[8] = { 4, 2, 1, 1, 4, 2, 1, 2 };
    static const uint8_t how[8]  = { 0, 0, 0, 2, 1, 1, 1, 2 };
    unsigned d = op & 7, s = op >> 3 & 7, imm5 = op >> 6 & 31, imm8 = op & 0xFF;
    u32 *r = t->r, next = r[PC] + 2;
    int cycles = 1;

    switch (op >> 12) {
    case 0x2:
    case 0x3:
        d = op >> 8 & 7;
        switch (op >> 11 & 3) {
        case 0:  r[d] = imm8; setNZ(t, imm8); break;
        case 1:  addFlags(t, r[d], ~(u32)imm8, 1); break;
        case 2:  r[d] = addFlags(t, r[d], imm8, 0); break;
        default: r[d] = addFlags(t, r[d], ~(u32)imm8, 1); break;
        }
        break;

    case 0x4:
        if (op >> 10 & 3)
            return UNDEFINED;               /* high registers and literals: not here */
        alu(t, op >> 6 & 15, &r[d], r[s]);
        break;

    case 0x5:
        cycles = transfer(t, d, r[s] + r[op >> 6 & 7], size[op >> 9 & 7], how[op >> 9 & 7]);
        break;
    case 0x6:
        cycles = transfer(t, d, r[s] + 4 * imm5, 4, op >> 11 & 1);
        break;
    case 0x7:
        cycles = transfer(t, d, r[s] + imm5, 1, op >> 11 & 1);
        break;
    case 0x8:
        cycles = transfer(t, d, r[s] + 2 * imm5, 2, op >> 11 & 1);
        break;

    case 0xB:
        if ((op & 0x0600) != 0x0400)
            return UNDEFINED;
        cycles = pushPop(t, imm8, op >> 11 & 1, op >> 8 & 1, &next);
        break;

    case 0xD: {
        unsigned cond = op >> 8 & 15;
        unsigned nzcv = (unsigned)t->f.n << 3 | t->f.z << 2 | t->f.c << 1 | t->f.v;
        if (cond > 13)
            return UNDEFINED;
        if (condHolds[cond] >> nzcv & 1) {
            next = r[PC] + 4 + 2 * ((u32)(imm8 ^ 0x80) - 0x80);
            cycles = 3;
        }
        break;
    }
    default:
        return UNDEFINED;
    }

    if (cycles < 0)
        return cycles;
    t->retired++;
    r[PC] = next;
    return cycles;
}
