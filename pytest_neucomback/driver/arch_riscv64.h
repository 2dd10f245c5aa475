/* riscv64: system calls, signal frames and clock, as the Linux kernel defines them. */
#include "syscalls_generic.h"
#define NC_AUDIT_ARCH 0xc00000f3
#define NC_UCONTEXT_REGS 176
#define NC_N_CRASH_REGS 32
#define NC_CRASH_SP 2 /* the stack pointer among them */

struct nc_sigaction { u64 handler, flags, mask; };
#define NC_SET_RESTORER(a) ((void)0)

static inline i64 nc_syscall6(i64 n, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
    register i64 a7 __asm__("a7") = n;
    register i64 a0 __asm__("a0") = a;
    register i64 a1 __asm__("a1") = b;
    register i64 a2 __asm__("a2") = c;
    register i64 a3 __asm__("a3") = d;
    register i64 a4 __asm__("a4") = e;
    register i64 a5 __asm__("a5") = f;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
    return a0;
}

static inline u64 nc_ticks(void)
{
    u64 t;
    __asm__ volatile("fence; rdtime %0; fence" : "=r"(t) : : "memory");
    return t;
}

/* The registers as trampoline_riscv64.S lays them down, by number. */
#define NC_N_GPR 32
#define NC_N_VEC 32
#define NC_VEC_WORDS 1
#define NC_INT_ARGS {10, 11, 12, 13, 14, 15, 16, 17}
#define NC_FIRST_FP_ARG 10
#define NC_N_FP_ARGS 8
#define NC_NARROW_FLOATS 0 /* a float is a NaN box */
#define NC_RESULT_GPR -1
#define NC_RETURNED_BITS 64 /* results are extended to the whole register */
#define NC_BAD_VARIADIC 0
#define NC_PRESERVED_GPR {8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}
#define NC_PRESERVED_VEC {8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}
#define NC_UNTOUCHED_GPR {3, 4} /* gp and tp: stored as the difference from what they were */
struct nc_image { u64 gpr[NC_N_GPR], vec[NC_N_VEC][NC_VEC_WORDS]; };
static inline void nc_fill_flags(struct nc_image *image, u64 junk) { (void)image, (void)junk; }
static inline u32 nc_vector_level(u64 hardware) { (void)hardware; return 0; }

#define nc_syscall3(n, a, b, c) nc_syscall6(n, a, b, c, 0, 0, 0)
#define nc_syscall4(n, a, b, c, d) nc_syscall6(n, a, b, c, d, 0, 0)
#define nc_syscall5(n, a, b, c, d, e) nc_syscall6(n, a, b, c, d, e, 0)
