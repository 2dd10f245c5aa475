/* The process a candidate runs in. Freestanding: no libc, no files, no heap.
 *
 * Inputs arrive and results leave through memory shared with the parent (memfds: argv[1] the control block, argv[2]
 * the objects). One byte on a pipe (argv[3]) asks for a call or a timing batch, one byte on another (argv[4]) answers.
 * The parent alone knows what is expected. After set-up a seccomp filter leaves read and write on those two pipes and
 * the clock, nothing else.
 */
#include "nc_driver.h"
#include "nc_arch.h"

#define PROT_RW 3
#define MAP_SHARED_FIXED_NOREPLACE (0x01 | 0x10 | 0x100000)
#define CLOCK_MONOTONIC 1
#define NC_STACK_ADDR 0x500000000ul /* the candidate's own stack */
#define NC_STACK_SIZE 0x800000ul

/* Whatever the driver itself relies on stands in pages that nobody can write any more once the first call is made. */
static struct __attribute__((aligned(4096))) {
    int fd_cmd, fd_status;
    u32 n_regions, restore;
    struct nc_region regions[NC_MAX_REGIONS];
} nc_sealed;
u32 nc_vectors; /* what vector registers the machine has, see nc_vector_level */
static u8 nc_alt_stack[32768] __attribute__((aligned(16)));

static void nc_put(char byte) { nc_syscall3(NC_SYS_write, nc_sealed.fd_status, (i64)&byte, 1); }

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
    u64 sp = c->fault_regs[NC_CRASH_SP];
    c->fault_stack[2] = NC_STACK_ADDR + NC_STACK_SIZE;
    if (sp - NC_STACK_ADDR - 8 < NC_STACK_SIZE - 16 && sp % 8 == 0) {
        c->fault_stack[0] = ((const u64 *)sp)[-1];
        c->fault_stack[1] = *(const u64 *)sp;
    }
    nc_put('F');
    for (;;) {
        char byte;
        if (nc_syscall3(NC_SYS_read, nc_sealed.fd_cmd, (i64)&byte, 1) <= 0)
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
        {EQ, 5, 6, (u32)nc_sealed.fd_cmd},
        {EQ, 0, 2, NC_SYS_write},
        {LOAD, 0, 0, 16},
        {EQ, 2, 3, (u32)nc_sealed.fd_status},
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

/* ---- the candidate's stack, junk before a call, inspection after it ---- */

#define NC_CANARY 512 /* bytes of junk above the glue's frame */
#define NC_DIRTY 4096 /* bytes of junk below it */

extern struct nc_image nc_image;
static u64 nc_random_state;
static u64 nc_stack_top, nc_stack_junk; /* bytes of junk below the top */
static u64 nc_watched[512], nc_watch_from, nc_watch_words;
static u64 nc_callees[24]; /* where structs begin that lie in the caller's frame and are the callee's to write */
static u32 nc_n_callees;
static u64 nc_result_at; /* where the caller wants a returned struct */

static u64 nc_random(void) /* splitmix64 */
{
    u64 z = nc_random_state += 0x9e3779b97f4a7c15ul;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
    z = (z ^ z >> 27) * 0x94d049bb133111ebul;
    return z ^ z >> 31;
}

/* The room for a returned struct, and the copy of a struct that is passed by reference, belong to the callee. */
static void nc_note_callees(u64 address)
{
    u64 end = nc_watch_from + 8 * nc_watch_words;
    if (nc_copy_bytes && address + nc_copy_bytes > nc_watch_from && address < end && nc_n_callees < 24)
        nc_callees[nc_n_callees++] = address;
}

static int nc_is_callees(u64 address)
{
    for (u32 i = 0; i < nc_n_callees; i++)
        if (address + 8 > nc_callees[i] && address < nc_callees[i] + nc_copy_bytes)
            return 1;
    return 0;
}

/* Called by the trampoline when the argument registers are in nc_image; `arguments` is where stack arguments begin. */
void nc_prepare(u64 arguments)
{
    static const signed char ints[] = NC_INT_ARGS, gprs[] = NC_PRESERVED_GPR, vecs[] = NC_PRESERVED_VEC;
    const u64 *junk = NC_CTL->junk;
    u64 keep[NC_N_GPR] = {0};
    nc_watch_from = arguments + nc_stack_args;
    nc_watch_words = (nc_stack_top + NC_CANARY - nc_watch_from) / 8;
    if (nc_watch_words > 512)
        nc_watch_words = 512;
    nc_n_callees = 0;
    nc_result_at = nc_image.gpr[ints[0]];
    for (u32 i = 0; i < nc_int_args && i < sizeof ints; i++) {
        keep[ints[i]] = 1;
        nc_note_callees(nc_image.gpr[ints[i]]);
    }
    for (u64 at = arguments; at < nc_watch_from; at += 8)
        nc_note_callees(*(const u64 *)at);
    if (NC_RESULT_GPR >= 0 && nc_result_address)
        nc_note_callees(nc_image.gpr[NC_RESULT_GPR < 0 ? 0 : NC_RESULT_GPR]);
    if (NC_RESULT_GPR >= 0 && nc_result_address)
        keep[NC_RESULT_GPR < 0 ? 0 : NC_RESULT_GPR] = 1;
    for (u32 i = 0; i < NC_N_GPR; i++)
        if (!keep[i])
            nc_image.gpr[i] = nc_random();
    for (u32 i = 0; i < NC_N_VEC; i++) {
        u32 argument = i - NC_FIRST_FP_ARG, used = argument < nc_fp_args && argument < NC_N_FP_ARGS;
        u64 word = nc_image.vec[i][0];
        for (u32 w = 0; w < NC_VEC_WORDS; w++)
            nc_image.vec[i][w] = nc_random();
        if (used && NC_NARROW_FLOATS && nc_narrow_fp_args >> argument & 1)
            nc_image.vec[i][0] = (nc_image.vec[i][0] & ~0xfffffffful) | (word & 0xfffffffful);
        else if (used)
            nc_image.vec[i][0] = word;
    }
    for (u32 i = 0; i < sizeof gprs; i++)
        nc_image.gpr[gprs[i]] = *junk++;
    for (u32 i = 0; i < sizeof vecs && vecs[i] >= 0; i++)
        nc_image.vec[vecs[i]][0] = *junk++;
    nc_fill_flags(&nc_image, nc_random());
    nc_depth = 0;
    for (u64 i = 0; i < nc_watch_words; i++)
        nc_watched[i] = ((const u64 *)nc_watch_from)[i];
}

/* How far below `arguments` the junk has changed: the same random words once more, from the deepest on. */
static u64 nc_depth_of_stack(u64 arguments, u64 seed)
{
    u64 now = nc_random_state, at = nc_stack_top - nc_stack_junk;
    for (nc_random_state = seed; at < arguments && *(const u64 *)at == nc_random(); at += 8)
        ;
    nc_random_state = now;
    return arguments - at;
}

/* Called by the trampoline on its way back, on a stack of its own, when preserved registers are in nc_image. */
void nc_inspect(void)
{
    static const signed char gprs[] = NC_PRESERVED_GPR, vecs[] = NC_PRESERVED_VEC;
    struct nc_control *c = NC_CTL;
    u64 *seen = c->seen;
    if (c->stack_fill)
        c->stack_used = nc_depth_of_stack(nc_watch_from - nc_stack_args, c->junk[62]);
    for (u32 i = 0; i < sizeof gprs; i++)
        *seen++ = nc_image.gpr[gprs[i]];
    for (u32 i = 0; i < sizeof vecs && vecs[i] >= 0; i++)
        *seen++ = nc_image.vec[vecs[i]][0];
#ifdef NC_RESULT_BACK
    if (nc_result_in_memory && nc_image.gpr[NC_RESULT_BACK] != nc_result_at)
        c->flag_error |= 8;
#endif
#ifdef NC_UNTOUCHED_GPR
    static const signed char untouched[] = NC_UNTOUCHED_GPR;
    for (u32 i = 0; i < sizeof untouched; i++, seen++)
        *seen = c->junk[seen - c->seen] ^ nc_image.gpr[untouched[i]];
#endif
    for (u64 i = nc_watch_words; i-- > 0;)
        if (nc_watched[i] != ((const u64 *)nc_watch_from)[i] && !nc_is_callees(nc_watch_from + 8 * i)) {
            c->stack_error = 1 + nc_stack_args + 8 * i;
            ((u64 *)nc_watch_from)[i] = nc_watched[i]; /* the glue has to return from here */
        }
}

static void nc_checked_call(struct nc_control *c)
{
    nc_random_state = c->junk[62];
    /* by luck aligned to 32 bytes or more is not aligned */
    nc_stack_top = NC_STACK_ADDR + NC_STACK_SIZE - 1024 - c->junk[63] % 32 * 16;
    nc_stack_junk = c->stack_fill < NC_DIRTY ? NC_DIRTY : c->stack_fill < NC_STACK_SIZE / 2 ? c->stack_fill & ~15ul
                                                                                            : NC_STACK_SIZE / 2;
    for (u64 *p = (u64 *)(nc_stack_top - nc_stack_junk); p < (u64 *)(nc_stack_top + NC_CANARY); p++)
        *p = nc_random();
    nc_checked = 1;
    nc_on_stack(nc_invoke, nc_stack_top);
    nc_checked = 0;
}

/* ---- timing ---- */

/* The parent puts a second image of every region right behind the first in the file of objects; the driver maps it
 * NC_IMAGE_SHIFT higher and copies it back before each timed call. */
#define NC_IMAGE_SHIFT 0x1000000000ul
#define NC_CHANGED 8 /* elements an object whose last bit is changed in each call */

static u64 nc_mixed(u64 digest, u64 bits) { return (digest ^ bits) * 0x100000001b3ul + 1; }

/* A number that is neither zero nor subnormal nor infinite nor a NaN stays one when its last bit is flipped. */
static int nc_normal32(u32 bits) { return (bits & 0x7f800000) != 0 && (bits & 0x7f800000) != 0x7f800000; }
static int nc_normal64(u64 bits) { return (bits >> 52 & 0x7ff) != 0 && (bits >> 52 & 0x7ff) != 0x7ff; }

/* Any NaN is as good as another. */
static u32 nc_any_nan32(u32 bits) { return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits; }
static u64 nc_any_nan64(u64 bits)
{
    return (bits & 0x7ffffffffffffffful) > 0x7ff0000000000000ul ? 0x7ff8000000000000ul : bits;
}

/* ---- mocks: what is observed of a call out of the candidate ----
 * A digest covers everything. The log is what people and models are told: words with a tag in the low byte, 1 a call and
 * its number, 2 a scalar, 3 a pointer (their value follows), 4 bytes (their count; the first 24 follow), 5 what memory
 * held at the call. */

static u32 nc_mock;       /* the one that runs */
static u32 nc_mock_call;  /* how often it has been called before */

static void nc_mix(u64 bits) { NC_CTL->mock_digest = nc_mixed(NC_CTL->mock_digest, bits); }

static void nc_log(u64 tag, const u64 *words, u64 count)
{
    struct nc_control *c = NC_CTL;
    u64 used = c->mock_log_used;
    if (used > NC_MOCK_LOG || NC_MOCK_LOG - used < count + 1) {
        c->mock_log_used = NC_MOCK_LOG; /* full: nothing later may slip into the rest */
        return;
    }
    c->mock_log[used] = tag;
    for (u64 i = 0; i < count; i++)
        c->mock_log[used + 1 + i] = words[i];
    c->mock_log_used = used + 1 + count;
}

/* Bytes of an object of records, without the bits that right programs differ in. */
static u64 nc_masked(u64 digest, const struct nc_region *r, u64 from, u64 to)
{
    const u8 *data = (const u8 *)r->data_addr, *mask = NC_CTL->masks + r->mask;
    for (u64 b = from, m = from % r->stride; b < to; b++, m = m + 1 == r->stride ? 0 : m + 1)
        digest = nc_mixed(digest, data[b] & mask[m]);
    return digest;
}

/* A call may read all of memory, so state at the call counts. Small objects are looked at whole; of larger ones, whose
 * hashing would cost a pass over megabytes a call, a window that moves on with every call sees each element near the
 * time it is written. Bits that mean nothing (padding) and numbers inside structs that may be NaN are masked out. */
static u64 nc_memory(u64 calls)
{
    u64 digest = 0;
    for (u32 i = 0; i < nc_sealed.n_regions; i++) {
        const struct nc_region *r = &nc_sealed.regions[i];
        const u8 *data = (const u8 *)r->data_addr;
        u64 size = r->data_size, from = 0, to = size;
        if (r->stride == NC_UNSEEN)
            continue;
        if (size > 256) {
            from = calls * 4 % (size - 15) & ~7ul;
            to = from + 16;
        }
        if (r->stride) {
            digest = nc_masked(digest, r, from, to);
        } else if (r->float_size == 4) {
            for (u64 b = from; b + 4 <= to; b += 4)
                digest = nc_mixed(digest, nc_any_nan32(*(const u32 *)(data + b)));
        } else if (r->float_size == 8) {
            for (u64 b = from; b + 8 <= to; b += 8)
                digest = nc_mixed(digest, nc_any_nan64(*(const u64 *)(data + b)));
        } else {
            for (u64 b = from; b < to; b++)
                digest = nc_mixed(digest, data[b]);
        }
    }
    return digest;
}

void nc_mock_begin(u32 number)
{
    struct nc_control *c = NC_CTL;
    nc_mock = number % NC_MAX_MOCKS;
    nc_mock_call = c->mock_used[nc_mock]++;
    nc_mix(number);
    nc_log(1 | (u64)number << 8, 0, 0);
    if (nc_checked) { /* while timing, looking would cost more than what is timed */
        u64 memory = nc_memory(c->mock_calls);
        nc_mix(memory);
        nc_log(5, &memory, 1);
    }
    c->mock_calls++;
}

void nc_mock_arg(u64 bits)
{
    nc_mix(bits);
    nc_log(2, &bits, 1);
}

/* Objects and mocks lie at the same address for golden and candidate; stack and constants do not. */
void nc_mock_pointer(const void *p)
{
    u64 seen = (u64)p - NC_STUBS_ADDR < 64 * NC_MAX_MOCKS ? (u64)p : p != 0;
    for (u32 i = 0; i < nc_sealed.n_regions; i++)
        if ((u64)p - nc_sealed.regions[i].addr <= nc_sealed.regions[i].size)
            seen = (u64)p;
    nc_mix(seen);
    nc_log(3, &seen, 1);
}

void nc_mock_bytes(const void *p, u64 count)
{
    u64 first[3] = {0, 0, 0};
    nc_mix(count);
    for (u64 i = 0; i < count; i++) {
        nc_mix(((const u8 *)p)[i]);
        if (i < sizeof first)
            ((u8 *)first)[i] = ((const u8 *)p)[i];
    }
    nc_log(4 | count << 8, first, 3);
}

void nc_mock_text(const char *text)
{
    u64 length = 0;
    while (length < NC_MOST && text[length])
        length++;
    nc_mock_bytes(text, length);
}

/* Conversions of printf; what is not one of them ends the reading, since nothing is known of what follows. */
void nc_mock_format(const char *format, __builtin_va_list *arguments)
{
    nc_mock_text(format);
    for (const char *f = format; *f; f++) {
        if (*f != '%')
            continue;
        int size = 0; /* l: 1, ll: 2, h: -1, hh: -2 */
        for (f++; *f && (*f == '-' || *f == '+' || *f == ' ' || *f == '#' || *f == '.' || (*f >= '0' && *f <= '9') || *f == '*'); f++)
            if (*f == '*')
                nc_mock_arg((u64)(i64)__builtin_va_arg(*arguments, int));
        for (;; f++) {
            if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't')
                size++;
            else if (*f == 'h')
                size--;
            else
                break;
        }
        switch (*f) {
        case 'd': case 'i':
            if (size > 0)
                nc_mock_arg((u64)__builtin_va_arg(*arguments, i64));
            else {
                int v = __builtin_va_arg(*arguments, int);
                nc_mock_arg((u64)(i64)(size == -1 ? (short)v : size < -1 ? (signed char)v : v));
            }
            break;
        case 'u': case 'x': case 'X': case 'o':
            if (size > 0)
                nc_mock_arg(__builtin_va_arg(*arguments, u64));
            else {
                u32 v = __builtin_va_arg(*arguments, u32);
                nc_mock_arg(size == -1 ? (unsigned short)v : size < -1 ? (u8)v : v);
            }
            break;
        case 'c':
            nc_mock_arg((u8)__builtin_va_arg(*arguments, int));
            break;
        case 'f': case 'F': case 'e': case 'E': case 'g': case 'G': {
            union { double d; u64 u; } v = {__builtin_va_arg(*arguments, double)};
            nc_mock_arg(nc_any_nan64(v.u));
            break;
        }
        case 's': {
            const char *text = __builtin_va_arg(*arguments, const char *);
            nc_mock_pointer(text);
            if (text)
                nc_mock_text(text);
            break;
        }
        case 'p':
            nc_mock_pointer(__builtin_va_arg(*arguments, const void *));
            break;
        case '%':
            break;
        default:
            return;
        }
    }
}

void nc_mock_fill(u32 slot, void *p, u64 bytes)
{
    const struct nc_control *c = NC_CTL;
    u32 base = c->fill_base[slot % NC_MAX_FILLS], stride = c->fill_stride[slot % NC_MAX_FILLS],
        count = c->fill_count[slot % NC_MAX_FILLS];
    if (!count || !stride)
        return;
    base += nc_mock_call % count * stride;
    for (u64 i = 0; i < bytes; i++)
        ((u8 *)p)[i] = c->mock_data[(base + i % stride) % NC_MOCK_DATA];
}

u64 nc_mock_return(void)
{
    const struct nc_control *c = NC_CTL;
    u32 count = c->mock_return_count[nc_mock];
    return count ? c->mock_returns[nc_mock][nc_mock_call % count % NC_MOCK_RETURNS] : 0;
}

u64 nc_mock_narrow(u64 value, u32 bits)
{
    u32 defined = bits > NC_RETURNED_BITS ? bits : NC_RETURNED_BITS;
    return defined >= 64 ? value : (value & ((1ul << defined) - 1)) | nc_random() << defined;
}

void nc_mock_variadic(void)
{
    if (nc_checked && NC_BAD_VARIADIC)
        NC_CTL->call_error |= 4;
}

static void nc_forget_calls(struct nc_control *c)
{
    c->mock_calls = c->mock_digest = c->mock_log_used = c->unwound = 0;
    for (int i = 0; i < NC_MAX_MOCKS; i++)
        c->mock_used[i] = 0;
}

/* Puts the inputs back, slightly different in each call of a batch: who remembers an answer has the wrong one. */
static void nc_restore(u64 seed, u64 call)
{
    nc_random_state = seed + call * 0xd1342543de82ef95ul;
    for (u32 i = 0; i < nc_sealed.n_regions; i++) {
        const struct nc_region *r = &nc_sealed.regions[i];
        if (nc_sealed.restore)
            nc_copy((u8 *)r->addr, (const u8 *)r->addr + NC_IMAGE_SHIFT, r->size);
        if (!r->float_size || !r->data_size || !seed)
            continue;
        u64 count = r->data_size / r->float_size;
        for (int k = 0; k < NC_CHANGED; k++) {
            u64 at = (u64)((unsigned __int128)nc_random() * count >> 64);
            u32 *single = (u32 *)r->data_addr + at;
            u64 *wide = (u64 *)r->data_addr + at;
            if (r->float_size == 4 && nc_normal32(*single))
                *single ^= 1;
            else if (r->float_size == 8 && nc_normal64(*wide))
                *wide ^= 1;
        }
    }
}

/* Words of eight bytes in four lanes, so that one multiplication does not wait for the other. `canonical` makes one NaN
 * of all. */
#define NC_HASH(canonical)                                                                                             \
    for (; at + 32 <= size; at += 32)                                                                                  \
        for (int i = 0; i < 4; i++)                                                                                    \
            lane[i] = nc_mixed(lane[i], canonical(((const nc_anywhere *)(data + at))[i]));                             \
    for (; at + 8 <= size; at += 8)                                                                                    \
        lane[0] = nc_mixed(lane[0], canonical(*(const nc_anywhere *)(data + at)))

typedef u64 __attribute__((aligned(1))) nc_anywhere;

static u64 nc_as_it_is(u64 word) { return word; }

static u64 nc_two_floats(u64 word)
{
    /* carries into a sign bit where one of the halves is a NaN */
    if (__builtin_expect(((word & 0x7fffffff7ffffffful) + 0x007fffff007ffffful) & 0x8000000080000000ul, 0))
        return (u64)nc_any_nan32((u32)(word >> 32)) << 32 | nc_any_nan32((u32)word);
    return word;
}

static u64 nc_hash(u64 digest, const u8 *data, u64 size, u64 float_size)
{
    u64 lane[4] = {digest, 1, 2, 3}, at = 0;
    if (float_size == 4) {
        NC_HASH(nc_two_floats);
        if (at < size)
            lane[1] = nc_mixed(lane[1], nc_any_nan32(*(const u32 *)(data + at)));
        at = size;
    } else if (float_size == 8) {
        NC_HASH(nc_any_nan64);
    } else {
        NC_HASH(nc_as_it_is);
    }
    for (; at < size; at++)
        lane[1] = nc_mixed(lane[1], data[at]);
    for (int i = 1; i < 4; i++)
        lane[0] = nc_mixed(lane[0], lane[i]);
    return lane[0];
}

/* All that a call leaves and that right programs agree in: what was left out, or done in part, would show. */
static u64 nc_look(u64 digest, const struct nc_control *c)
{
    for (u32 i = 0; i < nc_sealed.n_regions; i++) {
        const struct nc_region *r = &nc_sealed.regions[i];
        const u8 *data = (const u8 *)r->data_addr;
        if (r->opaque)
            continue;
        if (!r->stride || r->stride == NC_UNSEEN) {
            digest = nc_hash(digest, data, r->data_size, r->float_size);
            continue;
        }
        digest = nc_masked(digest, r, 0, r->data_size);
    }
    digest = nc_hash(digest, (const u8 *)c->ret, c->ret_bytes < sizeof c->ret ? c->ret_bytes : sizeof c->ret,
                     c->ret_float_bytes);
    return nc_mixed(nc_mixed(digest, c->mock_calls), c->mock_digest);
}

static u64 nc_timed_call(u64 stack)
{
    u64 start = nc_ticks();
    nc_on_stack(nc_invoke, stack);
    return nc_ticks() - start;
}

static void nc_time(struct nc_control *c)
{
    /* As asked when the batch began, whatever the candidate writes there. */
    u64 reps = c->reps, seed = c->seed, empty = c->empty, digest = 0, best = ~0ul;
    u64 stack = NC_STACK_ADDR + NC_STACK_SIZE - 1024 - c->stack_shift % 256 * 16;
    /* Kept where the candidate is not told until its last call is over. */
    u64 took[NC_MAX_SAMPLES];
    /* Nor what the inputs of its next calls will be. */
    c->seed = 0;
    nc_target = (u64)nc_empty;
    for (int i = 0; i < 64; i++) {
        u64 ticks = nc_timed_call(stack);
        best = ticks < best ? ticks : best;
    }
    if (!empty)
        nc_target = (u64)nc_candidate_entry;
    u64 ns = nc_now_ns(), ticks = nc_ticks();
    for (u64 r = reps; r > 0; r--) {
        nc_restore(seed, r); /* counted down, so that the last call of any batch sees the same */
        nc_forget_calls(c);
        u64 call = nc_timed_call(stack);
        if (r <= NC_MAX_SAMPLES)
            took[r - 1] = call;
        digest = nc_look(digest, c);
    }
    for (u64 r = 0; r < reps && r < NC_MAX_SAMPLES; r++)
        c->samples[r] = took[r];
    c->overhead_ticks = best;
    c->digest = digest;
    c->clock_ticks = nc_ticks() - ticks;
    c->clock_ns = nc_now_ns() - ns;
    nc_target = (u64)nc_candidate_entry;
}

static u64 nc_number(const char *text)
{
    u64 n = 0;
    while (*text >= '0' && *text <= '9')
        n = n * 10 + (u64)(*text++ - '0');
    return n;
}

static int nc_limit(u64 resource, u64 value)
{
    u64 limit[2] = {value, value};
    return (int)nc_syscall4(NC_SYS_prlimit64, 0, (i64)resource, (i64)limit, 0);
}

/* Address space, processor time, no files, no core dumps. Whoever is over a limit already could not go on anyway. */
static int nc_set_limits(u64 memory, u64 cpu_s)
{
    return nc_limit(9, memory) || nc_limit(0, cpu_s) || nc_limit(1, 0) || nc_limit(4, 0);
}

/* A value of the auxiliary vector, which follows arguments and environment. */
static u64 nc_auxiliary(const u64 *stack, u64 wanted)
{
    const u64 *p = stack + 1 + stack[0] + 1;
    while (*p++)
        ;
    for (; p[0]; p += 2)
        if (p[0] == wanted)
            return p[1];
    return 0;
}

/* Constant tables that hold addresses: the linker wrote them, nobody else may. */
static int nc_protect_tables(const u64 *stack)
{
    const u8 *header = (const u8 *)nc_auxiliary(stack, 3 /* AT_PHDR */);
    u64 count = nc_auxiliary(stack, 5 /* AT_PHNUM */);
    for (u64 i = 0; header && i < count; i++, header += 56) {
        if (*(const u32 *)header != 0x6474e552 /* PT_GNU_RELRO */)
            continue;
        u64 start = *(const u64 *)(header + 16) & ~4095ul;
        u64 end = (*(const u64 *)(header + 16) + *(const u64 *)(header + 40)) & ~4095ul;
        if (end > start && nc_syscall3(NC_SYS_mprotect, (i64)start, (i64)(end - start), 1))
            return -1;
    }
    return 0;
}

void nc_main(u64 *stack)
{
    char **argv = (char **)(stack + 1);
    if (stack[0] != 5)
        nc_stop(4);
    int fd_control = (int)nc_number(argv[1]), fd_objects = (int)nc_number(argv[2]);
    nc_sealed.fd_cmd = (int)nc_number(argv[3]);
    nc_sealed.fd_status = (int)nc_number(argv[4]);
    nc_vectors = nc_vector_level(nc_auxiliary(stack, 16 /* AT_HWCAP */));

    u64 control_pages = (sizeof(struct nc_control) + 4095) & ~4095ul;
    if (nc_syscall6(NC_SYS_mmap, NC_CONTROL_ADDR, (i64)control_pages, PROT_RW, MAP_SHARED_FIXED_NOREPLACE,
                    fd_control, 0) != (i64)NC_CONTROL_ADDR)
        nc_stop(5);
    struct nc_control *c = NC_CTL;
    nc_sealed.n_regions = c->n_regions < NC_MAX_REGIONS ? c->n_regions : NC_MAX_REGIONS;
    nc_sealed.restore = (u32)c->restore;
    for (u32 i = 0; i < nc_sealed.n_regions; i++) {
        struct nc_region *r = &nc_sealed.regions[i];
        *r = c->regions[i];
        if (nc_syscall6(NC_SYS_mmap, (i64)r->addr, (i64)r->size, PROT_RW, MAP_SHARED_FIXED_NOREPLACE, fd_objects,
                        (i64)r->offset) != (i64)r->addr)
            nc_stop(6);
        if (c->restore && nc_syscall6(NC_SYS_mmap, (i64)(r->addr + NC_IMAGE_SHIFT), (i64)r->size, 1,
                                      MAP_SHARED_FIXED_NOREPLACE, fd_objects, (i64)(r->offset + r->size))
                              != (i64)(r->addr + NC_IMAGE_SHIFT))
            nc_stop(7);
    }
    nc_syscall3(NC_SYS_close, fd_control, 0, 0);
    nc_syscall3(NC_SYS_close, fd_objects, 0, 0);
    /* The pages below and above are left unmapped by the kernel, which maps from the top of the address space. */
    if (nc_syscall6(NC_SYS_mmap, (i64)NC_STACK_ADDR, (i64)NC_STACK_SIZE, PROT_RW,
                    0x02 | 0x10 | 0x20 | 0x4000 | 0x100000 /* private, fixed, anonymous, no reserve */, -1, 0)
        != (i64)NC_STACK_ADDR)
        nc_stop(9);
    if (nc_syscall3(NC_SYS_mprotect, (i64)&nc_sealed, sizeof nc_sealed, 1))
        nc_stop(10);
    if (nc_protect_tables(stack))
        nc_stop(11);

    u64 alt[3] = {(u64)nc_alt_stack, 0, sizeof nc_alt_stack};
    nc_syscall3(NC_SYS_sigaltstack, (i64)alt, 0, 0);
    nc_catch(4);  /* SIGILL */
    nc_catch(5);  /* SIGTRAP */
    nc_catch(7);  /* SIGBUS */
    nc_catch(8);  /* SIGFPE */
    nc_catch(11); /* SIGSEGV */
    nc_catch(31); /* SIGSYS */
    if (c->limit_memory && nc_set_limits(c->limit_memory, c->limit_cpu_s))
        nc_stop(12);
    if (c->seccomp && nc_install_seccomp())
        nc_stop(8);

    c->control_size = sizeof(struct nc_control);
    nc_target = (u64)nc_candidate_entry;
    nc_put('R');
    for (;;) {
        char command;
        if (nc_syscall3(NC_SYS_read, nc_sealed.fd_cmd, (i64)&command, 1) <= 0)
            nc_stop(0);
        if (command == 'c')
            nc_checked_call(c);
        else if (command == 't')
            nc_time(c);
        else
            nc_stop(0);
        nc_put('D');
    }
}
