/* The process a candidate runs in. Freestanding: no libc, no files, no heap.
 *
 * Inputs arrive and results leave through memory shared with the parent (argv[1], a memfd). One byte on a pipe
 * (argv[2]) asks for a call or a timing batch, one byte on another (argv[3]) answers. The parent alone knows what
 * is expected. After set-up a seccomp filter leaves read and write on those two pipes and the clock, nothing else.
 */
#include "nc_driver.h"
#include "nc_arch.h"

#define PROT_RW 3
#define MAP_SHARED_FIXED_NOREPLACE (0x01 | 0x10 | 0x100000)
#define CLOCK_MONOTONIC 1

static int fd_mem, fd_cmd, fd_status;
static u8 nc_alt_stack[32768] __attribute__((aligned(16)));

static void nc_put(char byte) { nc_syscall3(NC_SYS_write, fd_status, (i64)&byte, 1); }

static void nc_stop(int status)
{
    for (;;)
        nc_syscall3(NC_SYS_exit_group, status, 0, 0);
}

/* A fault ends the run: note what happened, tell the parent, wait to be killed. */
static void nc_on_fault(int signal, void *info, void *context)
{
    struct nc_control *c = NC_CTL;
    const u8 *mcontext = (const u8 *)context + NC_UCONTEXT_REGS;
    c->signal = (u32)signal;
    c->code = *(u32 *)((u8 *)info + 8);
    c->fault_addr = signal == 31 ? *(u32 *)((u8 *)info + 24) /* si_syscall */ : *(u64 *)((u8 *)info + 16);
    for (int i = 0; i < NC_N_CRASH_REGS; i++)
        c->fault_regs[i] = *(const u64 *)(mcontext + 8 * i);
    nc_put('F');
    for (;;) {
        char byte;
        if (nc_syscall3(NC_SYS_read, fd_cmd, (i64)&byte, 1) <= 0)
            nc_stop(3);
    }
}

static void nc_catch(int signal)
{
    struct nc_sigaction action = {0};
    action.handler = (u64)nc_on_fault;
    action.flags = 0x4 /* SA_SIGINFO */ | 0x08000000 /* SA_ONSTACK */ | 0x40000000 /* SA_NODEFER */;
    NC_SET_RESTORER(action);
    nc_syscall4(NC_SYS_rt_sigaction, signal, (i64)&action, 0, 8);
}

struct nc_filter { unsigned short code; u8 jt, jf; u32 k; };

/* read(fd_cmd), write(fd_status), clock_gettime, exit_group; everything else raises SIGSYS, which is reported. */
static int nc_install_seccomp(void)
{
    enum { LOAD = 0x20, EQ = 0x15, RET = 0x06, ALLOW = 0x7fff0000, TRAP = 0x00030000, KILL = (int)0x80000000 };
    struct nc_filter filter[] = {
        {LOAD, 0, 0, 4},
        {EQ, 1, 0, NC_AUDIT_ARCH},
        {RET, 0, 0, (u32)KILL},
        {LOAD, 0, 0, 0},
        {EQ, 0, 2, NC_SYS_read},
        {LOAD, 0, 0, 16},
        {EQ, 5, 6, (u32)fd_cmd},
        {EQ, 0, 2, NC_SYS_write},
        {LOAD, 0, 0, 16},
        {EQ, 2, 3, (u32)fd_status},
        {EQ, 1, 0, NC_SYS_clock_gettime},
        {EQ, 0, 1, NC_SYS_exit_group},
        {RET, 0, 0, ALLOW},
        {RET, 0, 0, TRAP},
    };
    struct { unsigned short len; struct nc_filter *filter; } program = {sizeof filter / sizeof *filter, filter};
    if (nc_syscall5(NC_SYS_prctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0))
        return -1;
    return (int)nc_syscall5(NC_SYS_prctl, 22 /* PR_SET_SECCOMP */, 2, (i64)&program, 0, 0);
}

static u64 nc_now_ns(void)
{
    i64 t[2] = {0, 0};
    nc_syscall3(NC_SYS_clock_gettime, CLOCK_MONOTONIC, (i64)t, 0);
    return (u64)t[0] * 1000000000ul + (u64)t[1];
}

static void nc_copy(u8 *to, const u8 *from, u64 size)
{
    for (u64 i = 0; i < size / 8; i++)
        ((u64 *)to)[i] = ((const u64 *)from)[i];
}

/* The parent puts a second image of every region right behind the first in the shared file; the driver maps it
 * NC_IMAGE_SHIFT higher and copies it back before each timed call. */
#define NC_IMAGE_SHIFT 0x1000000000ul

static void nc_restore(struct nc_control *c)
{
    for (u32 i = 0; i < c->n_regions; i++)
        nc_copy((u8 *)c->regions[i].addr, (const u8 *)c->regions[i].addr + NC_IMAGE_SHIFT, c->regions[i].size);
}

static u64 nc_timed_call(struct nc_control *c)
{
    u64 start = nc_ticks();
    nc_invoke(c);
    return nc_ticks() - start;
}

static void nc_time(struct nc_control *c)
{
    u64 best = ~0ul;
    nc_target = (u64)nc_empty;
    for (int i = 0; i < 64; i++) {
        u64 ticks = nc_timed_call(c);
        best = ticks < best ? ticks : best;
    }
    nc_target = (u64)nc_candidate_entry;
    u64 ns = nc_now_ns(), ticks = nc_ticks();
    u64 samples = c->n_samples, reps = c->reps, restore = c->restore; /* as asked, whatever the candidate writes there */
    for (u64 s = 0; s < samples && s < NC_MAX_SAMPLES; s++) {
        u64 sum = 0;
        for (u64 r = 0; r < reps; r++) {
            if (restore)
                nc_restore(c);
            sum += nc_timed_call(c);
        }
        c->samples[s] = sum;
    }
    c->overhead_ticks = best;
    c->clock_ticks = nc_ticks() - ticks;
    c->clock_ns = nc_now_ns() - ns;
}

/* ---- mocks: what is observed of a call out of the candidate ---- */

static void nc_mix(u64 bits) { NC_CTL->mock_digest = (NC_CTL->mock_digest ^ bits) * 0x100000001b3ul + 1; }

/* A call may read all of memory, so state at the call counts. Hashing everything would cost a pass over megabytes a
 * call; a window of each object that moves on with every call sees each element near the time it is written. */
void nc_mock_begin(u64 id)
{
    struct nc_control *c = NC_CTL;
    nc_mix(id);
    for (u32 i = 0; i < c->n_regions; i++) {
        u64 size = c->regions[i].data_size, at = c->mock_calls * 4;
        if (size < 16) {
            for (u64 b = 0; b < size; b++)
                nc_mix(((const u8 *)c->regions[i].data_addr)[b]);
            continue;
        }
        at %= size - 15;
        const u8 *p = (const u8 *)c->regions[i].data_addr + (at & ~3ul);
        for (int w = 0; w < 4; w++)
            nc_mix(((const u32 *)p)[w]);
    }
}

void nc_mock_arg(u64 bits) { nc_mix(bits); }

/* Objects lie at the same address for golden and candidate; stack and constants do not. */
void nc_mock_pointer(const void *p)
{
    struct nc_control *c = NC_CTL;
    for (u32 i = 0; i < c->n_regions; i++)
        if ((u64)p - c->regions[i].addr < c->regions[i].size) {
            nc_mix((u64)p);
            return;
        }
    nc_mix(p != 0);
}

u64 nc_mock_return(void)
{
    struct nc_control *c = NC_CTL;
    return c->mock_returns[c->mock_calls++ % NC_MOCK_RETURNS];
}

static u64 nc_number(const char *text)
{
    u64 n = 0;
    while (*text >= '0' && *text <= '9')
        n = n * 10 + (u64)(*text++ - '0');
    return n;
}

void nc_main(u64 *stack)
{
    char **argv = (char **)(stack + 1);
    if (stack[0] != 4)
        nc_stop(4);
    fd_mem = (int)nc_number(argv[1]);
    fd_cmd = (int)nc_number(argv[2]);
    fd_status = (int)nc_number(argv[3]);

    u64 control_pages = (sizeof(struct nc_control) + 4095) & ~4095ul;
    if (nc_syscall6(NC_SYS_mmap, NC_CONTROL_ADDR, (i64)control_pages, PROT_RW, MAP_SHARED_FIXED_NOREPLACE, fd_mem, 0)
        != (i64)NC_CONTROL_ADDR)
        nc_stop(5);
    struct nc_control *c = NC_CTL;
    for (u32 i = 0; i < c->n_regions; i++) {
        struct nc_region *r = &c->regions[i];
        if (nc_syscall6(NC_SYS_mmap, (i64)r->addr, (i64)r->size, PROT_RW, MAP_SHARED_FIXED_NOREPLACE, fd_mem,
                        (i64)r->offset) != (i64)r->addr)
            nc_stop(6);
        if (c->restore && nc_syscall6(NC_SYS_mmap, (i64)(r->addr + NC_IMAGE_SHIFT), (i64)r->size, 1,
                                      MAP_SHARED_FIXED_NOREPLACE, fd_mem, (i64)(r->offset + r->size))
                              != (i64)(r->addr + NC_IMAGE_SHIFT))
            nc_stop(7);
    }
    nc_syscall3(NC_SYS_close, fd_mem, 0, 0);

    u64 alt[3] = {(u64)nc_alt_stack, 0, sizeof nc_alt_stack};
    nc_syscall3(NC_SYS_sigaltstack, (i64)alt, 0, 0);
    nc_catch(4);  /* SIGILL */
    nc_catch(5);  /* SIGTRAP */
    nc_catch(7);  /* SIGBUS */
    nc_catch(8);  /* SIGFPE */
    nc_catch(11); /* SIGSEGV */
    nc_catch(31); /* SIGSYS */
    if (c->seccomp && nc_install_seccomp())
        nc_stop(8);

    c->control_size = sizeof(struct nc_control);
    nc_target = (u64)nc_candidate_entry;
    nc_put('R');
    for (;;) {
        char command;
        if (nc_syscall3(NC_SYS_read, fd_cmd, (i64)&command, 1) <= 0)
            nc_stop(0);
        if (command == 'c')
            nc_invoke(c);
        else if (command == 't')
            nc_time(c);
        else
            nc_stop(0);
        nc_put('D');
    }
}
