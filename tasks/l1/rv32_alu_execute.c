#include <stdint.h>
#include <stdbool.h>

struct rvstat {
	uint32_t n_add, n_logic, n_shift, n_cmp, n_mul, n_div, n_bit, n_upper;
	uint32_t hazards;	/* result of the previous instruction used at once */
	uint32_t div_cycles;
	uint8_t last_rd;	/* 0: none */
};

enum {
	OP_IMM = 0x13,
	OP_REG = 0x33,
	OP_LUI = 0x37,
};

#define TOP 0x80000000u

/* two's complement order on plain words */
static bool less(uint32_t a, uint32_t b) { return (a ^ TOP) < (b ^ TOP); }

static uint32_t sar(uint32_t v, unsigned n)
{
	uint32_t r = v >> n;

	if ((v & TOP) && n)
		r |= ~(UINT32_MAX >> n);
	return r;
}

static uint32_t ror(uint32_t v, unsigned n)
{
	return n ? v >> n | v << (32 - n) : v;
}

static unsigned length(uint32_t v)
{
	unsigned n = 0;

	for (; v; v >>= 1)
		n++;
	return n;
}

static uint32_t mulh(uint32_t a, uint32_t b, bool sa, bool sb)
{
	uint32_t hi = (uint32_t)((uint64_t)a * b >> 32);

	if (sa && (a & TOP))
		hi -= b;
	if (sb && (b & TOP))
		hi -= a;
	return hi;
}

/* funct3 4..7; by zero gives all ones and the dividend, as the manual says */
static uint32_t divide(struct rvstat *st, unsigned f3, uint32_t a, uint32_t b)
{
	bool sgn = !(f3 & 1), rem = f3 & 2;
	bool na = sgn && (a & TOP), nb = sgn && (b & TOP);
	uint32_t ua = na ? 0u - a : a, ub = nb ? 0u - b : b, r;

	st->div_cycles += 2 + length(ua);
	if (b == 0)
		return rem ? a : UINT32_MAX;
	if (rem) {
		r = ua % ub;
		return na ? 0u - r : r;
	}
	r = ua / ub;
	return na != nb ? 0u - r : r;	/* MIN / -1 wraps back to MIN by itself */
}

static uint32_t count(uint32_t v)
{
	uint32_t n = 0;

	for (; v; v &= v - 1)
		n++;
	return n;
}

bool rv32_alu_execute(uint32_t insn, uint32_t x[32], struct rvstat *st)
{
	unsigned op = insn & 0x7f, rd = insn >> 7 & 31, f3 = insn >> 12 & 7;
	unsigned rs1 = insn >> 15 & 31, rs2 = insn >> 20 & 31, f7 = insn >> 25;
	uint32_t a = x[rs1], b = x[rs2], r;
	bool reg = op == OP_REG;

	if (op == OP_LUI) {
		st->n_upper++;
		r = insn & 0xfffff000u;
		rs1 = rs2 = 0;
		goto write;
	}
	if (!reg && op != OP_IMM)
		return false;

	if (!reg) {
		rs2 = 0;
		b = sar(insn, 20);
		if (f3 == 1 || f3 == 5)
			b &= 31;	/* f7 still tells which shift */
		else
			f7 = 0;
	}

	switch (f7 << 3 | f3) {
	case 0x00 << 3 | 0: r = a + b;		st->n_add++;	break;
	case 0x20 << 3 | 0: r = a - b;		st->n_add++;	break;
	case 0x00 << 3 | 1: r = a << (b & 31);	st->n_shift++;	break;
	case 0x00 << 3 | 2: r = less(a, b);	st->n_cmp++;	break;
	case 0x00 << 3 | 3: r = a < b;		st->n_cmp++;	break;
	case 0x00 << 3 | 4: r = a ^ b;		st->n_logic++;	break;
	case 0x00 << 3 | 5: r = a >> (b & 31);	st->n_shift++;	break;
	case 0x20 << 3 | 5: r = sar(a, b & 31);	st->n_shift++;	break;
	case 0x00 << 3 | 6: r = a | b;		st->n_logic++;	break;
	case 0x00 << 3 | 7: r = a & b;		st->n_logic++;	break;

	case 0x01 << 3 | 0: r = a * b;				st->n_mul++; break;
	case 0x01 << 3 | 1:
		if (!reg)
			return false;
		r = mulh(a, b, true, true);
		st->n_mul++;
		break;
	case 0x01 << 3 | 2: r = mulh(a, b, true, false);	st->n_mul++; break;
	case 0x01 << 3 | 3: r = mulh(a, b, false, false);	st->n_mul++; break;
	case 0x01 << 3 | 4:
	case 0x01 << 3 | 5:
	case 0x01 << 3 | 6:
	case 0x01 << 3 | 7:
		if (!reg)
			return false;
		r = divide(st, f3, a, b);
		st->n_div++;
		break;

	case 0x05 << 3 | 4: r = less(a, b) ? a : b;	st->n_bit++; break;	/* min */
	case 0x05 << 3 | 6: r = less(a, b) ? b : a;	st->n_bit++; break;	/* max */
	case 0x30 << 3 | 5: r = ror(a, b & 31);		st->n_bit++; break;
	case 0x30 << 3 | 1:
		if (reg || b > 2)
			return false;
		if (b == 2)
			r = count(a);
		else if (b == 1)
			r = a ? length(a & (0u - a)) - 1 : 32;	/* ctz */
		else
			r = 32 - length(a);			/* clz */
		st->n_bit++;
		break;
	case 0x34 << 3 | 5:
		if (reg || b != 0x18)
			return false;
		r = a << 24 | (a & 0xff00) << 8 | (a >> 8 & 0xff00) | a >> 24;
		st->n_bit++;
		break;
	default:
		return false;
	}

write:
	if (st->last_rd && (st->last_rd == rs1 || st->last_rd == rs2))
		st->hazards++;
	st->last_rd = (uint8_t)rd;
	if (rd)
		x[rd] = r;
	return true;
}
