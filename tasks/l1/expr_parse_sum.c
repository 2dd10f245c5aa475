#include <stdint.h>

typedef enum {
  EX_OK, EX_SYNTAX, EX_RANGE, EX_DIVZERO, EX_SHIFT, EX_POWER, EX_NESTING, EX_PAREN
} ExError;

/* Binding strength; a higher one binds tighter. */
enum { P_OR = 1, P_AND, P_SHIFT, P_SUM, P_TERM, P_POW };

struct excur {
  const char *text;
  uint16_t pos, len;
  int32_t var[26];
  uint8_t err, depth;
  uint16_t errpos;
};

typedef struct {
  char sym[2];
  uint8_t len, prec, right;
} Op;

/* Two-character operators come first, or "**" would be taken for "*". */
static const Op ops[10] = {
  { "**", 2, P_POW, 1 },   { "<<", 2, P_SHIFT, 0 }, { ">>", 2, P_SHIFT, 0 },
  { "*", 1, P_TERM, 0 },   { "/", 1, P_TERM, 0 },   { "%", 1, P_TERM, 0 },
  { "+", 1, P_SUM, 0 },    { "-", 1, P_SUM, 0 },
  { "&", 1, P_AND, 0 },    { "|", 1, P_OR, 0 },
};
enum { OP_POW, OP_SHL, OP_SHR, OP_MUL, OP_DIV, OP_MOD, OP_ADD, OP_SUB, OP_AND, OP_OR };

int32_t expr_parse_sum(struct excur *c, int min_prec);

static int32_t fault(struct excur *c, ExError e, unsigned at)
{
  c->err = (uint8_t)e;
  c->errpos = (uint16_t)at;
  return 0;
}

static char peek(struct excur *c)
{
  while (c->pos < c->len && c->text[c->pos] == ' ')
    c->pos++;
  return c->pos < c->len ? c->text[c->pos] : '\0';
}

static int digit_of(char ch, int base)
{
  int d = 99;

  if (ch >= '0' && ch <= '9')
    d = ch - '0';
  else if (ch >= 'A' && ch <= 'F')
    d = ch - 'A' + 10;
  else if (ch >= 'a' && ch <= 'f')
    d = ch - 'a' + 10;
  return d < base ? d : -1;
}

/* The sign belongs to the literal here, so that -2147483648 can be written. */
static int32_t number(struct excur *c, int negative)
{
  unsigned at = c->pos;
  int64_t v = 0, most = negative ? 2147483648LL : 2147483647LL;
  int base = 10, d;

  if (c->len - c->pos > 2 && c->text[at] == '0' && c->text[at + 1] == 'x'
      && digit_of(c->text[at + 2], 16) >= 0) {
    base = 16;
    most = 0xFFFFFFFFLL;                /* hex writes the bit pattern */
    c->pos += 2;
  }
  while (c->pos < c->len && (d = digit_of(c->text[c->pos], base)) >= 0) {
    v = v * base + d;
    if (v > most)
      return fault(c, EX_RANGE, at);
    c->pos++;
  }
  if (base == 16)
    v = (int32_t)(uint32_t)v;
  if (negative)
    v = -v;
  return v > INT32_MAX ? fault(c, EX_RANGE, at) : (int32_t)v;
}

static int32_t operand(struct excur *c)
{
  char ch = peek(c);
  unsigned at = c->pos;
  int32_t v;

  if (ch >= '0' && ch <= '9')
    return number(c, 0);
  if (ch >= 'a' && ch <= 'z') {
    c->pos++;
    return c->var[ch - 'a'];
  }
  switch (ch) {
  case '(':
    c->pos++;
    v = expr_parse_sum(c, P_OR);
    if (c->err)
      return 0;
    if (peek(c) != ')')
      return fault(c, EX_PAREN, c->pos);
    c->pos++;
    return v;
  case '-':
    c->pos++;
    if (c->pos < c->len && digit_of(c->text[c->pos], 10) >= 0)
      return number(c, 1);
    v = expr_parse_sum(c, P_POW);
    return v == INT32_MIN ? fault(c, EX_RANGE, at) : -v;
  case '!':
    c->pos++;
    return !expr_parse_sum(c, P_POW);
  case '~':
    c->pos++;
    return ~expr_parse_sum(c, P_POW);
  default:
    return fault(c, EX_SYNTAX, at);
  }
}

static int32_t power(struct excur *c, int32_t base, int32_t n, unsigned at)
{
  int64_t r = 1;

  if (n < 0)
    return fault(c, EX_POWER, at);
  if (base >= -1 && base <= 1)          /* these never grow: only parity and zero count */
    return n == 0 ? 1 : base < 0 && n % 2 == 0 ? 1 : base;
  while (n-- > 0) {
    r *= base;
    if (r > INT32_MAX || r < INT32_MIN)
      return fault(c, EX_RANGE, at);
  }
  return (int32_t)r;
}

int32_t expr_parse_sum(struct excur *c, int min_prec)
{
  int32_t lhs;

  if (c->err)
    return 0;
  if (c->depth >= 16)
    return fault(c, EX_NESTING, c->pos);
  c->depth++;
  lhs = operand(c);

  while (!c->err) {
    char first = peek(c);
    char second = c->pos + 1 < c->len ? c->text[c->pos + 1] : '\0';
    unsigned at = c->pos, op = 0;
    int32_t rhs;
    int64_t v;

    while (op < 10 && !(ops[op].sym[0] == first && (ops[op].len == 1 || ops[op].sym[1] == second)))
      op++;
    if (op == 10 || ops[op].prec < min_prec)
      break;
    c->pos += ops[op].len;
    rhs = expr_parse_sum(c, ops[op].prec + !ops[op].right);
    if (c->err)
      break;

    switch (op) {
    case OP_POW: v = power(c, lhs, rhs, at); break;
    case OP_SHL:
    case OP_SHR:
      if (rhs < 0 || rhs > 31)
        v = fault(c, EX_SHIFT, at);
      else if (op == OP_SHL)
        v = (int64_t)lhs * (1LL << rhs);
      else
        v = lhs < 0 ? ~(~lhs >> rhs) : lhs >> rhs;
      break;
    case OP_MUL: v = (int64_t)lhs * rhs; break;
    case OP_DIV:
    case OP_MOD:
      if (rhs == 0)
        v = fault(c, EX_DIVZERO, at);
      else
        v = op == OP_DIV ? (int64_t)lhs / rhs : (int64_t)lhs % rhs;
      break;
    case OP_ADD: v = (int64_t)lhs + rhs; break;
    case OP_SUB: v = (int64_t)lhs - rhs; break;
    case OP_AND: v = lhs & rhs; break;
    default:     v = lhs | rhs; break;
    }
    if (v > INT32_MAX || v < INT32_MIN)
      v = fault(c, EX_RANGE, at);
    lhs = (int32_t)v;
  }
  c->depth--;
  return c->err ? 0 : lhs;
}
