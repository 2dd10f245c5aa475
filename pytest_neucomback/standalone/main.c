/* Calls the golden build and the candidate on one input and shows what differs.
 *
 * Both work on the same objects, which lie between unmapped pages at the addresses that the candidate was judged at.
 * case.h holds the input's scalars and what is known of the objects, input/NAME.bin what they contain before a call.
 * Exit status: 0 when the candidate is right, 1 when it is not, 2 when this program could not do its work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "case.h"
#include "nc_mock.h"

#define PAGE 4096ul
#define SLACK 0xa5 /* around the objects; has to stay */
#define SHOWN 8

/* call.c: calls through the trampoline with the task's own prototype */
extern void call_task(const uint64_t *arguments, void *result);
extern void golden(void), candidate(void);
/* trampoline.S */
struct state {
    uint64_t junk[32]; /* put into the registers that a function has to preserve */
    uint64_t seen[32]; /* and what they held on return */
    uint64_t stack_error, flags, scratch;
    void (*target)(void);
};
struct state state;

static unsigned char *image[N_OBJECTS + 1], *expected[N_OBJECTS + 1];
static unsigned char result[256] __attribute__((aligned(16))), expected_result[256];
static jmp_buf stopped;
static volatile int running, unwound, wrong;

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "repro: %s %s: %s\n", what, which, strerror(errno));
    exit(2);
}

/* ---- objects ---- */

static void map_objects(void)
{
    for (int i = 0; i < N_OBJECTS; i++) {
        const struct object *o = &objects[i];
        /* one page too many on either side, which nobody may touch */
        for (int part = 0; part < 3; part++) {
            uint64_t at = part == 0 ? o->map - PAGE : part == 1 ? o->map : o->map + o->map_size;
            size_t size = part == 1 ? o->map_size : PAGE;
            void *got = mmap((void *)at, size, part == 1 ? PROT_READ | PROT_WRITE : PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            if (part == 1 && got != (void *)at) /* neighbours share the pages between them */
                fail("its address is taken (run it again), object", o->name);
        }
        char path[512];
        snprintf(path, sizeof path, "input/%s.bin", o->name);
        image[i] = malloc(o->size);
        expected[i] = malloc(o->map_size);
        FILE *file = fopen(path, "rb");
        if (!image[i] || !expected[i] || !file || fread(image[i], 1, o->size, file) != o->size)
            fail("cannot read", path);
        fclose(file);
    }
}

static void fill(void)
{
    for (int i = 0; i < N_OBJECTS; i++) {
        memset((void *)objects[i].map, SLACK, objects[i].map_size);
        memcpy((void *)objects[i].address, image[i], objects[i].size);
    }
    memset(result, 0, sizeof result);
}

/* ---- mocks: order, arguments and memory of each call are noted ---- */

#define MAX_CALLS (1u << 20)
#define MAX_WORDS 12 /* arguments of a call that are shown */
struct call { unsigned number, n_words; uint64_t words[MAX_WORDS], arguments, memory; };
static struct { struct call *calls; uint64_t count; unsigned of_mock[N_MOCKS + 1]; } log_of[2];
static int who; /* 0 golden, 1 candidate */
static struct call current;
static unsigned call_of_mock; /* how often this mock has been called before */

static uint64_t mix(uint64_t hash, uint64_t bits) { return (hash ^ bits) * 0x100000001b3ul + 1; }

static int is_nan(const struct part *part, const unsigned char *p)
{
    float f;
    double d;
    if (part->width == 4)
        return memcpy(&f, p, 4), isnan(f);
    return memcpy(&d, p, 8), isnan(d);
}

static void note_call(void)
{
    uint64_t n = log_of[who].count;
    if (n && n <= MAX_CALLS)
        log_of[who].calls[n - 1] = current;
}

void nc_mock_begin(unsigned number)
{
    note_call(); /* the one before is complete */
    uint64_t n = log_of[who].count++;
    memset(&current, 0, sizeof current);
    current.number = number;
    call_of_mock = log_of[who].of_mock[number]++;
    /* a window of each object that moves on with every call; any NaN is as good as another */
    for (int i = 0; i < N_OBJECTS; i++) {
        const struct object *o = &objects[i];
        uint64_t elements = o->size / o->stride, seen = o->size <= 256 ? elements : elements < 4 ? elements : 4;
        for (uint64_t e = 0; e < seen; e++)
            for (int k = 0; k < o->n_parts; k++) {
                const unsigned char *p =
                    (const unsigned char *)o->address + (n + e) % elements * o->stride + o->parts[k].offset;
                uint64_t bits = 0;
                memcpy(&bits, p, o->parts[k].width);
                if (o->parts[k].mask)
                    bits &= o->parts[k].mask;
                if (o->parts[k].kind == 'f' && is_nan(&o->parts[k], p))
                    bits = ~0ul;
                if (o->parts[k].kind == 'p')
                    bits = bits != 0;
                current.memory = mix(current.memory, bits);
            }
    }
}

void nc_mock_arg(unsigned long bits)
{
    current.arguments = mix(current.arguments, bits);
    if (current.n_words < MAX_WORDS)
        current.words[current.n_words++] = bits;
}

void nc_mock_pointer(const void *p)
{
    for (int i = 0; i < N_OBJECTS; i++)
        if ((uint64_t)p - objects[i].map <= objects[i].map_size) {
            nc_mock_arg((uint64_t)p);
            return;
        }
    nc_mock_arg(p != 0);
}

void nc_mock_bytes(const void *p, unsigned long count)
{
    uint64_t hash = count;
    for (unsigned long i = 0; i < count; i++)
        hash = mix(hash, ((const unsigned char *)p)[i]);
    nc_mock_arg(hash);
}

void nc_mock_text(const char *text) { nc_mock_bytes(text, strnlen(text, NC_MOST)); }

/* Conversions of printf; what is not one of them ends the reading. */
void nc_mock_format(const char *format, __builtin_va_list *arguments)
{
    nc_mock_text(format);
    for (const char *f = format; *f; f++) {
        if (*f != '%')
            continue;
        int size = 0;
        for (f++; *f && strchr("-+ #.0123456789*", *f); f++)
            if (*f == '*')
                nc_mock_arg((unsigned long)(long)__builtin_va_arg(*arguments, int));
        for (; *f == 'l' || *f == 'z' || *f == 'j' || *f == 't' || *f == 'h'; f++)
            size += *f == 'h' ? -1 : 1;
        if (*f == 'd' || *f == 'i') {
            long v = size > 0 ? __builtin_va_arg(*arguments, long) : __builtin_va_arg(*arguments, int);
            nc_mock_arg((unsigned long)(size == -1 ? (short)v : size < -1 ? (signed char)v : v));
        } else if (*f && strchr("uxXo", *f)) {
            unsigned long v = size > 0 ? __builtin_va_arg(*arguments, unsigned long)
                                       : __builtin_va_arg(*arguments, unsigned);
            nc_mock_arg(size == -1 ? (unsigned short)v : size < -1 ? (unsigned char)v : v);
        } else if (*f == 'c') {
            nc_mock_arg((unsigned char)__builtin_va_arg(*arguments, int));
        } else if (*f && strchr("fFeEgG", *f)) {
            union { double d; unsigned long u; } v = {__builtin_va_arg(*arguments, double)};
            nc_mock_arg(v.d == v.d ? v.u : 1);
        } else if (*f == 's') {
            const char *text = __builtin_va_arg(*arguments, const char *);
            if (text)
                nc_mock_text(text);
        } else if (*f == 'p') {
            nc_mock_pointer(__builtin_va_arg(*arguments, const void *));
        } else if (*f != '%') {
            return;
        }
    }
}

void nc_mock_fill(unsigned slot, void *p, unsigned long bytes)
{
    unsigned stride = mock_fills[slot].stride, count = mock_fills[slot].count;
    for (unsigned long i = 0; i < bytes && stride && count; i++)
        ((unsigned char *)p)[i] = mock_fills[slot].data[call_of_mock % count * stride + i % stride];
}

unsigned long nc_mock_return(void)
{
    unsigned count = mock_returns[current.number].count;
    return count ? mock_returns[current.number].words[call_of_mock % count] : 0;
}

/* Of a narrow result callers may rely on 32 bits on x86-64, on its own ones on AArch64, on all on RISC-V. */
unsigned long nc_mock_narrow(unsigned long value, unsigned bits)
{
#if defined __x86_64__
    bits = bits < 32 ? 32 : bits;
#elif !defined __aarch64__
    bits = 64;
#endif
    return bits == 64 ? value : (value & ((1ul << bits) - 1)) | junk[0] << bits;
}

void nc_mock_variadic(void) {}

void nc_unwind(void)
{
    unwound = 1;
    longjmp(stopped, 1);
}

static void print_call(const struct call *c)
{
    printf("%s(", mock_names[c->number]);
    for (unsigned i = 0; i < c->n_words; i++)
        printf("%s%#lx", i ? ", " : "", (unsigned long)c->words[i]);
    printf(")");
}

static int compare_calls(int unwound_golden)
{
    uint64_t n = log_of[0].count, m = log_of[1].count;
    for (uint64_t i = 0; i < n && i < m && i < MAX_CALLS; i++) {
        const struct call *x = &log_of[0].calls[i], *y = &log_of[1].calls[i];
        if (x->number != y->number || x->arguments != y->arguments) {
            printf("call %lu out of the function: expected ", (unsigned long)i + 1);
            print_call(x);
            printf(", got ");
            print_call(y);
            printf("\n");
            return 1;
        }
        if (x->memory != y->memory) {
            printf("call %lu out of the function: memory is not as expected then\n", (unsigned long)i + 1);
            return 1;
        }
    }
    if (n != m)
        printf("it made %lu calls, expected %lu\n", (unsigned long)m, (unsigned long)n);
    if (unwound_golden != unwound)
        printf(unwound ? "it ended in a call that does not return\n" : "it returned, instead of ending in a call\n");
    return n != m || unwound_golden != unwound;
}

/* ---- comparison ---- */

static void print_number(const struct part *part, const unsigned char *p)
{
    uint64_t u = 0;
    memcpy(&u, p, part->width);
    if (part->kind == 'f' && part->width == 4) {
        float f;
        memcpy(&f, p, 4);
        printf("%.9g", f);
    } else if (part->kind == 'f') {
        double d;
        memcpy(&d, p, 8);
        printf("%.17g", d);
    } else if (part->kind == 'i')
        printf("%ld", (long)(u << (64 - 8 * part->width)) >> (64 - 8 * part->width));
    else
        printf("%lu", (unsigned long)u);
}

static uint64_t ordered(const struct part *part, const unsigned char *p)
{
    uint64_t raw = 0, sign = 1ul << (8 * part->width - 1);
    memcpy(&raw, p, part->width);
    return raw & sign ? sign - (raw & ~sign) : raw + sign;
}

/* Two pointers to constants of the two functions mean the same when those are equal. */
static int same_constant(uint64_t a, uint64_t b, unsigned size)
{
    for (int i = 0; i < N_OBJECTS; i++)
        if (a - objects[i].map <= objects[i].map_size || b - objects[i].map <= objects[i].map_size)
            return 0;
    if (!a || !b || !size)
        return 0;
    return size == 1 ? !strcmp((const char *)a, (const char *)b) : !memcmp((const void *)a, (const void *)b, size);
}

static int differs(const struct part *part, const unsigned char *x, const unsigned char *y)
{
    uint64_t a = 0, b = 0;
    memcpy(&a, x, part->width);
    memcpy(&b, y, part->width);
    if (part->mask)
        return ((a ^ b) & part->mask) != 0;
    if (a == b)
        return 0;
    if (part->kind == 'p')
        return !same_constant(a, b, part->pointee);
    if (part->kind != 'f')
        return 1;
    if (is_nan(part, x) || is_nan(part, y))
        return !(is_nan(part, x) && is_nan(part, y));
    uint64_t i = ordered(part, x), j = ordered(part, y);
    return (i > j ? i - j : j - i) > ULPS;
}

static void print_place(const struct object *o, uint64_t index, const struct part *part)
{
    uint64_t below = 1;
    printf("%s", o->name);
    for (int d = 0; d < o->n_dims; d++)
        below *= o->dims[d];
    if (!o->n_dims && strcmp(o->name, "result"))
        printf("[%ld]", (long)(index - o->base));
    for (int d = 0; d < o->n_dims; d++) {
        below /= o->dims[d];
        printf("[%lu]", (unsigned long)(index / below));
        index %= below;
    }
    printf("%s", part->path);
}

/* Elements that differ; the first ones are shown. */
static int compare_elements(const struct object *o, const unsigned char *want, const unsigned char *have,
                            const unsigned char *before)
{
    uint64_t total = o->size / o->stride, bad = 0, last = 0;
    for (int pass = 0; pass < 2; pass++) {
        uint64_t shown = 0;
        if (pass && !bad)
            break;
        if (pass)
            printf("%s: %lu of %lu elements are wrong (last: %lu)\n", o->name, (unsigned long)bad,
                   (unsigned long)total, (unsigned long)last);
        for (uint64_t i = 0; i < total; i++) {
            int wrong_here = 0;
            for (int k = 0; k < o->n_parts; k++) {
                const struct part *part = &o->parts[k];
                uint64_t at = i * o->stride + part->offset;
                if (!differs(part, want + at, have + at))
                    continue;
                wrong_here = 1;
                if (!pass || shown++ >= SHOWN)
                    continue;
                printf("  ");
                print_place(o, i, part);
                printf(": expected ");
                print_number(part, want + at);
                printf(", got ");
                print_number(part, have + at);
                if (before) {
                    printf(" (before: ");
                    print_number(part, before + at);
                    printf(")");
                }
                printf("\n");
            }
            if (!pass && wrong_here)
                bad++, last = i;
        }
    }
    return bad != 0;
}

static int compare_around(const struct object *o)
{
    const unsigned char *map = (const unsigned char *)o->map;
    for (uint64_t i = 0; i < o->map_size; i++) {
        uint64_t at = o->map + i;
        if ((at < o->address || at >= o->address + o->size) && map[i] != SLACK) {
            printf("%s: wrote outside of it, at %s%+ld bytes\n", o->name, o->name, (long)(at - o->address));
            return 1;
        }
    }
    return 0;
}

static int compare_registers(void)
{
    int bad = 0;
    for (int i = 0; preserved[i]; i++)
        if (state.seen[i] != state.junk[i]) {
            printf("calling convention: %s was not preserved\n", preserved[i]);
            bad = 1;
        }
    if (state.stack_error)
        printf("calling convention: returned with the stack pointer off by %+ld bytes\n", (long)state.stack_error);
    if (state.flags & 1)
        printf("calling convention: returned with the direction flag set\n");
    if (state.flags & 2)
        printf("calling convention: changed the floating-point rounding or exception control\n");
    return bad || state.stack_error || state.flags;
}

/* ---- the candidate's end, if it does not return ---- */

static uint64_t program_counter(const ucontext_t *context)
{
#if defined __x86_64__
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return context->uc_mcontext.pc;
#else
    return context->uc_mcontext.__gregs[REG_PC];
#endif
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    const char *whose = who ? "the candidate" : "the golden build";
    if (number == SIGPROF)
        printf("%s was still running after %u s\n", whose, LIMIT_S);
    else
        printf("%s was ended by %s (%s)\n", whose, sigabbrev_np(number) ? sigabbrev_np(number) : "a signal",
               strsignal(number));
    uint64_t address = (uint64_t)info->si_addr;
    if (number == SIGSEGV || number == SIGBUS)
        for (int i = 0; i < N_OBJECTS; i++)
            if (address - (objects[i].map - PAGE) < objects[i].map_size + 2 * PAGE)
                printf("it touched %s%+ld; %s has %lu bytes\n", objects[i].name,
                       (long)(address - objects[i].address), objects[i].name, (unsigned long)objects[i].size);
    printf("program counter 0x%lx\n", (unsigned long)program_counter(context));
    fflush(stdout);
    _exit(who ? 1 : 2);
}

static void catch_signals(void)
{
    static char space[65536] __attribute__((aligned(16)));
    stack_t stack = {.ss_sp = space, .ss_size = sizeof space};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGPROF, SIGSYS, SIGABRT};
    sigaltstack(&stack, 0);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, 0);
}

/* leaves no zeros where the callee's stack frame will be; nothing reads what is written */
static __attribute__((noinline)) void fill_stack(void)
{
    volatile uint64_t words[4096];
    for (int i = 0; i < 4096; i++)
        words[i] = junk[i % 32] + (uint64_t)i * 0x9e3779b97f4a7c15u;
}

static void run(void (*target)(void))
{
    fill_stack();
    memcpy(state.junk, junk, sizeof state.junk);
    state.scratch = junk[32];
    state.stack_error = state.flags = 0;
    state.target = target;
    unwound = 0;
    if (!setjmp(stopped))
        call_task(arguments, result);
    note_call();
}

/* time of the processor and not of the clock: a busy machine must not make a candidate late */
static void limit_cpu_time(unsigned seconds)
{
    struct itimerval limit = {.it_value.tv_sec = seconds};
    setitimer(ITIMER_PROF, &limit, NULL);
}

int main(int argc, char **argv)
{
    (void)argv;
    map_objects();
    catch_signals();
    for (int i = 0; i < 2; i++)
        if (!(log_of[i].calls = malloc(MAX_CALLS * sizeof(struct call))))
            fail("no memory for", "calls");
    printf("%s with input %s\n", TASK, INPUT_LABEL);
    fflush(stdout);

    fill();
    run(golden);
    int unwound_golden = unwound;
    for (int i = 0; i < N_OBJECTS; i++)
        memcpy(expected[i], (void *)objects[i].map, objects[i].map_size);
    memcpy(expected_result, result, sizeof result);

    fill();
    who = 1;
    if (argc == 1) /* any argument takes the time limit off, for debuggers */
        limit_cpu_time(LIMIT_S);
    run(candidate);
    limit_cpu_time(0);

    for (int i = 0; i < N_OBJECTS; i++) {
        const struct object *o = &objects[i];
        wrong |= compare_around(o);
        wrong |= compare_elements(o, expected[i] + (o->address - o->map), (unsigned char *)o->address, image[i]);
    }
    if (result_object.size && !unwound && !unwound_golden)
        wrong |= compare_elements(&result_object, expected_result, result, 0);
    wrong |= compare_calls(unwound_golden);
    if (!unwound)
        wrong |= compare_registers();
    if (!wrong)
        printf("the candidate is right on this input\n");
    return wrong;
}
