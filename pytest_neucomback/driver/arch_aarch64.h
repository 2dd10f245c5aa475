/* aarch64: system calls, signal frames and clock, as the Linux kernel defines them. */
#include "syscalls_generic.h"
#define NC_AUDIT_ARCH 0xc00000b7
#define NC_UCONTEXT_REGS 184 /* past fault_address */
#define NC_N_CRASH_REGS 33
#define NC_CRASH_SP 31 /* the stack pointer among them */

struct nc_sigaction { u64 handler, flags, restorer, mask; };
#define NC_SET_RESTORER(a) ((void)0)

static inline i64 nc_syscall6(i64 n, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
    register i64 x8 __asm__("x8") = n;
    register i64 x0 __asm__("x0") = a;
    register i64 x1 __asm__("x1") = b;
    register i64 x2 __asm__("x2") = c;
    register i64 x3 __asm__("x3") = d;
    register i64 x4 __asm__("x4") = e;
    register i64 x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

static inline u64 nc_ticks(void)
{
    u64 t;
    __asm__ volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(t) : : "memory");
    return t;
}

/* The registers as trampoline_aarch64.S lays them down: x0-x30, flags in word 31. */
#define NC_N_GPR 31
#define NC_N_VEC 32
#define NC_VEC_WORDS 2
#define NC_INT_ARGS {0, 1, 2, 3, 4, 5, 6, 7}
#define NC_FIRST_FP_ARG 0
#define NC_N_FP_ARGS 8
#define NC_NARROW_FLOATS 1
#define NC_RESULT_GPR 8
#define NC_RETURNED_BITS 0 /* none above the type's own */
#define NC_BAD_VARIADIC 0
#define NC_PRESERVED_GPR {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}
#define NC_PRESERVED_VEC {8, 9, 10, 11, 12, 13, 14, 15}
struct nc_image { u64 gpr[31], flags, vec[NC_N_VEC][NC_VEC_WORDS]; };
static inline void nc_fill_flags(struct nc_image *image, u64 junk) { image->flags = junk & 0xf0000000; }
/* 1 where there are scalable vectors; bit 22 of AT_HWCAP. */
static inline u32 nc_vector_level(u64 hardware) { return hardware >> 22 & 1; }

#define nc_syscall3(n, a, b, c) nc_syscall6(n, a, b, c, 0, 0, 0)
#define nc_syscall4(n, a, b, c, d) nc_syscall6(n, a, b, c, d, 0, 0)
#define nc_syscall5(n, a, b, c, d, e) nc_syscall6(n, a, b, c, d, e, 0)
