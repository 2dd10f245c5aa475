/* riscv64: system calls, signal frames and clock, as the Linux kernel defines them. */
#include "syscalls_generic.h"
#define NC_AUDIT_ARCH 0xc00000f3
#define NC_UCONTEXT_REGS 176
#define NC_N_CRASH_REGS 32

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

#define nc_syscall3(n, a, b, c) nc_syscall6(n, a, b, c, 0, 0, 0)
#define nc_syscall4(n, a, b, c, d) nc_syscall6(n, a, b, c, d, 0, 0)
#define nc_syscall5(n, a, b, c, d, e) nc_syscall6(n, a, b, c, d, e, 0)
