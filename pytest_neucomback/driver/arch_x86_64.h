/* x86_64: system calls, signal frames and clock, as the Linux kernel defines them. */
#define NC_SYS_read 0
#define NC_SYS_write 1
#define NC_SYS_close 3
#define NC_SYS_mmap 9
#define NC_SYS_mprotect 10
#define NC_SYS_rt_sigaction 13
#define NC_SYS_sigaltstack 131
#define NC_SYS_prctl 157
#define NC_SYS_clock_gettime 228
#define NC_SYS_exit_group 231
#define NC_SYS_prlimit64 302
#define NC_AUDIT_ARCH 0xc000003e
#define NC_UCONTEXT_REGS 40
#define NC_N_CRASH_REGS 17
#define NC_CRASH_SP 15 /* the stack pointer among them */

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

/* The registers as trampoline_x86_64.S lays them down: rax rcx rdx rbx rbp rsi rdi r8-r15, flags in word 16. */
#define NC_N_GPR 15
#define NC_N_VEC 32
#define NC_VEC_WORDS 8
#define NC_INT_ARGS {6, 5, 2, 1, 7, 8}
#define NC_FIRST_FP_ARG 0
#define NC_N_FP_ARGS 8
#define NC_NARROW_FLOATS 1 /* bits beyond a float argument are undefined */
#define NC_RESULT_BACK 0   /* a struct in memory: the register that holds its address on return (psABI 3.2.3) */
#define NC_RESULT_GPR -1   /* no register of its own for the address of a returned struct */
#define NC_RETURNED_BITS 32 /* of a narrow result, at least so many are defined */
extern u32 nc_al;           /* set by a variadic call: at most so many vector registers hold arguments */
#define NC_BAD_VARIADIC ((nc_al & 255) > 8)
#define NC_PRESERVED_GPR {3, 4, 11, 12, 13, 14}
#define NC_PRESERVED_VEC {-1}
struct nc_image { u64 gpr[16], flags, unused[7], vec[NC_N_VEC][NC_VEC_WORDS], masks[8]; };
/* carry, parity, adjust, zero, sign, overflow; the direction flag is clear at calls */
static inline void nc_fill_flags(struct nc_image *image, u64 junk)
{
    image->flags = (junk & 0x8d5) | 2;
    for (int i = 0; i < 8; i++)
        image->masks[i] = junk >> i;
}

static inline void nc_cpuid(u32 leaf, u32 *a, u32 *b, u32 *c)
{
    u32 d;
    *a = leaf, *c = 0;
    __asm__ volatile("cpuid" : "+a"(*a), "=b"(*b), "+c"(*c), "=d"(d));
}

/* How wide the vector registers are: 0 for 128 bits, 1 for 256, 2 for 512. */
static inline u32 nc_vector_level(u64 hardware)
{
    u32 a, b, c, state, high;
    (void)hardware;
    nc_cpuid(1, &a, &b, &c);
    if ((c >> 27 & 3) != 3) /* OSXSAVE, AVX */
        return 0;
    __asm__ volatile("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
    if ((state & 6) != 6)
        return 0;
    nc_cpuid(7, &a, &b, &c);
    return (b >> 16 & 1) && (state & 0xe6) == 0xe6 ? 2 : 1;
}

#define nc_syscall3(n, a, b, c) nc_syscall6(n, a, b, c, 0, 0, 0)
#define nc_syscall4(n, a, b, c, d) nc_syscall6(n, a, b, c, d, 0, 0)
#define nc_syscall5(n, a, b, c, d, e) nc_syscall6(n, a, b, c, d, e, 0)
