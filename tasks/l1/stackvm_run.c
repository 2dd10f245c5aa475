/* Rule engine: runs the byte code the configurator compiles from the customer's rules. */
#include <stdint.h>

#define STACK_CELLS  16
#define RETURN_CELLS 4
#define LOCALS       8

typedef struct svm {
  int32_t st[STACK_CELLS];
  int32_t loc[LOCALS];
  uint16_t ret[RETURN_CELLS];
  uint8_t sp, rp; /* cells in use */
  uint16_t pc;
} Svm;

enum { TRAP_UNDERFLOW = -1, TRAP_OVERFLOW = -2, TRAP_JUMP = -3, TRAP_DIVIDE = -4, TRAP_FUEL = -5, TRAP_OPCODE = -6, TRAP_HOST = -7 };

enum {
  OP_HALT, OP_PUSH8, OP_PUSH16, OP_PUSH32,
  OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_ADDS, OP_SUBS,
  OP_LT, OP_EQ, OP_JMP, OP_JZ, OP_CALL, OP_RET,
  OP_GET, OP_SET, OP_PICK, OP_ROT, OP_SELECT, OP_HOST, OP_COUNT
};

extern int32_t svm_host_gpio(int32_t a, int32_t b);
extern int32_t svm_host_time(int32_t a, int32_t b);
extern int32_t svm_host_rand(int32_t a, int32_t b);

static const struct {
  int32_t (*fn)(int32_t a, int32_t b);
  uint8_t arity;
} kHost[3] = {{svm_host_gpio, 2}, {svm_host_time, 0}, {svm_host_rand, 1}};

/* For each opcode: cells taken, cells given, bytes of operand. */
static const uint8_t kShape[OP_COUNT][3] = {
  [OP_HALT] = {0, 0, 0},  [OP_PUSH8] = {0, 1, 1}, [OP_PUSH16] = {0, 1, 2}, [OP_PUSH32] = {0, 1, 4},
  [OP_ADD] = {2, 1, 0},   [OP_SUB] = {2, 1, 0},   [OP_MUL] = {2, 1, 0},    [OP_DIV] = {2, 1, 0},
  [OP_ADDS] = {2, 1, 0},  [OP_SUBS] = {2, 1, 0},  [OP_LT] = {2, 1, 0},     [OP_EQ] = {2, 1, 0},
  [OP_JMP] = {0, 0, 1},   [OP_JZ] = {1, 0, 1},    [OP_CALL] = {0, 0, 1},   [OP_RET] = {0, 0, 0},
  [OP_GET] = {0, 1, 1},   [OP_SET] = {1, 0, 1},   [OP_PICK] = {0, 1, 1},   [OP_ROT] = {3, 3, 0},
  [OP_SELECT] = {3, 1, 0}, [OP_HOST] = {0, 0, 1},
};

static int32_t clamp(int64_t v) {
  return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

int stackvm_run(struct svm *vm, const uint8_t *code, unsigned len, unsigned fuel) {
  int result = TRAP_FUEL;
  unsigned pc = vm->pc, i;

  while (fuel-- > 0) {
    if (pc == len) {
      result = vm->sp;
      break;
    }
    if (pc > len) {
      result = TRAP_JUMP;
      break;
    }

    unsigned op = code[pc];
    if (op >= OP_COUNT || kShape[op][2] > len - pc - 1) {
      result = TRAP_OPCODE;
      break;
    }
    unsigned takes = kShape[op][0], gives = kShape[op][1], extra = kShape[op][2];
    if (vm->sp < takes) {
      result = TRAP_UNDERFLOW;
      break;
    }
    if (vm->sp - takes + gives > STACK_CELLS) {
      result = TRAP_OVERFLOW;
      break;
    }

    uint32_t arg = 0; /* little endian */
    for (i = 0; i < extra; i++)
      arg |= (uint32_t)code[pc + 1 + i] << (8 * i);
    uint32_t rel = (arg ^ 0x80u) - 0x80u;
    unsigned next = pc + 1 + extra, depth = vm->sp - takes;
    int32_t a = takes > 0 ? vm->st[depth] : 0;
    int32_t b = takes > 1 ? vm->st[depth + 1] : 0;
    int32_t r = 0;

    result = 1; /* no trap so far */
    switch (op) {
    case OP_HALT: result = vm->sp; goto stop;
    case OP_PUSH8: r = (int32_t)rel; break;
    case OP_PUSH16: r = (int32_t)((arg ^ 0x8000u) - 0x8000u); break;
    case OP_PUSH32: r = (int32_t)arg; break;
    case OP_ADD: r = (int32_t)((uint32_t)a + (uint32_t)b); break;
    case OP_SUB: r = (int32_t)((uint32_t)a - (uint32_t)b); break;
    case OP_MUL: r = (int32_t)((uint32_t)a * (uint32_t)b); break;
    case OP_ADDS: r = clamp((int64_t)a + b); break;
    case OP_SUBS: r = clamp((int64_t)a - b); break;
    case OP_LT: r = a < b; break;
    case OP_EQ: r = a == b; break;

    case OP_DIV: /* towards minus infinity */
      if (b == 0 || (a == INT32_MIN && b == -1)) {
        result = TRAP_DIVIDE;
        break;
      }
      r = a / b;
      if (a % b != 0 && (a < 0) != (b < 0))
        r--;
      break;

    case OP_JZ:
      if (a != 0)
        break;
      /* fall through */
    case OP_JMP:
      next += rel;
      break;

    case OP_CALL:
      if (vm->rp >= RETURN_CELLS) {
        result = TRAP_OVERFLOW;
        break;
      }
      vm->ret[vm->rp++] = (uint16_t)next;
      next += rel;
      break;
    case OP_RET:
      if (vm->rp == 0)
        result = TRAP_UNDERFLOW;
      else
        next = vm->ret[--vm->rp];
      break;

    case OP_GET: r = vm->loc[arg % LOCALS]; break;
    case OP_SET: vm->loc[arg % LOCALS] = a; break;
    case OP_PICK:
      if (arg >= vm->sp)
        result = TRAP_UNDERFLOW;
      else
        r = vm->st[vm->sp - 1 - arg];
      break;
    case OP_ROT:
      r = b;
      vm->st[depth + 1] = vm->st[depth + 2];
      vm->st[depth + 2] = a;
      break;
    case OP_SELECT: r = vm->st[depth + 2] ? a : b; break;

    default: /* OP_HOST */
      if (arg >= sizeof kHost / sizeof kHost[0]) {
        result = TRAP_HOST;
        break;
      }
      takes = kHost[arg].arity;
      gives = 1;
      if (vm->sp < takes) {
        result = TRAP_UNDERFLOW;
        break;
      }
      if (vm->sp - takes >= STACK_CELLS) {
        result = TRAP_OVERFLOW;
        break;
      }
      depth = vm->sp - takes;
      r = kHost[arg].fn(takes > 0 ? vm->st[depth] : 0, takes > 1 ? vm->st[depth + 1] : 0);
      break;
    }
    if (result < 0)
      break;

    if (gives > 0)
      vm->st[depth] = r;
    vm->sp = (uint8_t)(depth + gives);
    pc = next;
    result = TRAP_FUEL;
  }

stop:
  vm->pc = (uint16_t)pc;
  return result;
}
