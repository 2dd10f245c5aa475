/* x86_64: system calls, signal frames and clock, as the Linux kernel defines them. */
#define NC_SYS_read 0
#define NC_SYS_write 1
#define NC_SYS_close 3
#define NC_SYS_mmap 9
#define NC_SYS_rt_sigaction 13
#define NC_SYS_sigaltstack 131
#define NC_SYS_prctl 157
#define NC_SYS_clock_gettime 228
#define NC_SYS_exit_group 231
#define NC_AUDIT_ARCH 0xc000003e
#define NC_UCONTEXT_REGS 40
#define NC_N_CRASH_REGS 17

struct nc_sigaction { u64 handler, flags, restorer, mask; };
#define NC_SET_RESTORER(a) ((a).flags |= 0x04000000, (a).restorer = (u64)nc_stop)

static inline i64 nc_syscall6(i64 n, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
    i64 r;
    register i64 r10 __asm__("r10") = d;
    register i64 r8 __asm__("r8") = e;
    register i64 r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return r;
}

static inline u64 nc_ticks(void)
{
    u32 lo, hi, aux;
    __asm__ volatile("lfence; rdtscp; lfence" : "=a"(lo), "=d"(hi), "=c"(aux) : : "memory");
    return ((u64)hi << 32) | lo;
}

#define nc_syscall3(n, a, b, c) nc_syscall6(n, a, b, c, 0, 0, 0)
#define nc_syscall4(n, a, b, c, d) nc_syscall6(n, a, b, c, d, 0, 0)
#define nc_syscall5(n, a, b, c, d, e) nc_syscall6(n, a, b, c, d, e, 0)
