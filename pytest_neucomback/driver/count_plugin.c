/* Counts the instructions that a guest of qemu's user-mode emulators executes inside given address ranges.
 *
 *     -plugin /plugin.so,fd=N,from=ADDRESS,to=ADDRESS[,from=ADDRESS,to=ADDRESS ...][,repeats=on][,blocks=M]
 *
 * N is an inherited descriptor of a file that begins with one struct nc_count. It is mapped here once and closed, so that the
 * guest finds no descriptor of it; whoever started the emulator looks at the number while the guest stands still. The
 * ranges are those of the guest's code; `to` is the first address behind one.
 *
 * Nothing is called while the guest runs: each translated block gets one addition of as many instructions as it holds
 * inside the ranges. That is exact as long as a block that is entered is left at its end. A block that faults half way
 * is not, so the count of a call means something only when the call returns.
 *
 * repeats=on is for x86: an instruction such as `rep movsb` is one instruction however often it repeats itself, but
 * qemu executes it anew for each repetition. See again() below.
 *
 * blocks=M asks for a profile as well: from its second page on the file holds a table of M struct nc_block and behind it
 * M * SIZES_PER_BLOCK bytes, the sizes of the blocks' instructions one after another. Each translated stretch of the
 * ranges' code gets an entry and one more addition, so that whoever reads the table knows how often each instruction
 * was executed. What is translated again gets another entry. When the table is full, count->overflow says so; the total
 * goes on.
 *
 * Declared here is what version 1 of the plugin interface has (qemu 6.2 to 8.2), for distributions ship no header.
 */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info {
    const char *target_name;
    struct {
        int min;
        int cur;
    } version;
    _Bool system_emulation;
    struct {
        int smp_vcpus;
        int max_vcpus;
    } system;
};
enum { INLINE_ADD_U64 = 0 }; /* enum qemu_plugin_op */
enum { CB_NO_REGS = 0 };     /* enum qemu_plugin_cb_flags */

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *at, uint64_t amount);
void qemu_plugin_register_vcpu_insn_exec_cb(
    struct qemu_plugin_insn *insn, void (*cb)(unsigned int vcpu, void *data), int flags, void *data
);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

/* Of libc, which the emulator has loaded: the compiler needs no headers of it. */
void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset);
int close(int fd);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
unsigned long long strtoull(const char *text, char **end, int base);
long write(int fd, const void *data, size_t size);
size_t strlen(const char *text);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);

/* counting.py has the same. */
struct nc_count {
    uint64_t ready; /* NC_READY once the plugin counts */
    uint64_t executed;
    uint64_t blocks; /* entries in use */
    uint64_t overflow; /* not 0 when the table or the sizes were too small */
};
struct nc_block {
    uint64_t start; /* address of the first instruction; the others follow without gaps */
    uint64_t executed; /* times that each instruction was executed */
    uint32_t first; /* where the sizes of its instructions begin */
    uint32_t instructions;
};
#define NC_READY 0x324e554f43434eull

enum { MAX_RANGES = 64, PAGE = 4096, SIZES_PER_BLOCK = 64, MAX_BLOCKS = 1 << 20 };
static struct nc_count *count;
static struct nc_block *blocks; /* NULL without a profile */
static uint8_t *sizes;
static uint64_t max_blocks, n_sizes;
static uint64_t from[MAX_RANGES], to[MAX_RANGES];
static size_t n_from, n_to;
static _Bool repeats;
static uint64_t repeated_at, repeated_count;

static _Bool counted(uint64_t address)
{
    for (size_t i = 0; i < n_from; i++)
        if (address >= from[i] && address < to[i])
            return 1;
    return 0;
}

/* A string instruction of x86 behind a repeat prefix. */
static _Bool repeats_itself(const struct qemu_plugin_insn *insn)
{
    const uint8_t *code = qemu_plugin_insn_data(insn);
    size_t size = qemu_plugin_insn_size(insn), i = 0;
    _Bool repeat = 0;
    for (; i < size; i++) {
        uint8_t b = code[i];
        if (b == 0xf2 || b == 0xf3)
            repeat = 1;
        else if (b != 0x26 && b != 0x2e && b != 0x36 && b != 0x3e && (b < 0x64 || b > 0x67) && b != 0xf0)
            break;
    }
    if (i < size && (code[i] & 0xf0) == 0x40)
        i++;
    return repeat && i < size && ((code[i] >= 0xa4 && code[i] <= 0xa7) || (code[i] >= 0xaa && code[i] <= 0xaf));
}

/* Whether a repetition is another one of the same instruction, which it is when nothing else has been executed since:
 * who comes back to it any other way has executed at least a jump. If it is not, it is counted. */
static _Bool again(uint64_t address)
{
    if (address == repeated_at && count->executed == repeated_count)
        return 1;
    repeated_at = address;
    repeated_count = ++count->executed;
    return 0;
}

/* Called at each repetition. */
static void repeated(unsigned int vcpu, void *address)
{
    (void)vcpu;
    again((uint64_t)address);
}

/* The same for an instruction with an entry in the table. */
static void repeated_block(unsigned int vcpu, void *entry)
{
    struct nc_block *block = entry;
    (void)vcpu;
    if (!again(block->start))
        block->executed++;
}

/* Put an instruction behind the last one of `block`, or of a new entry when that is NULL. NULL when there is no room. */
static struct nc_block *append(struct nc_block *block, const struct qemu_plugin_insn *insn)
{
    if ((!block && count->blocks >= max_blocks) || n_sizes >= max_blocks * SIZES_PER_BLOCK) {
        count->overflow = 1;
        return NULL;
    }
    if (!block) {
        block = &blocks[count->blocks++];
        block->start = qemu_plugin_insn_vaddr(insn);
        block->first = (uint32_t)n_sizes;
    }
    sizes[n_sizes++] = (uint8_t)qemu_plugin_insn_size(insn);
    block->instructions++;
    return block;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    uint64_t inside = 0;
    struct nc_block *block = NULL;
    for (size_t i = 0, n = qemu_plugin_tb_n_insns(tb); i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        if (!counted(address)) {
            block = NULL;
            continue;
        }
        if (repeats && repeats_itself(insn)) {
            block = blocks ? append(NULL, insn) : NULL;
            if (block)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, repeated_block, CB_NO_REGS, block);
            else
                qemu_plugin_register_vcpu_insn_exec_cb(insn, repeated, CB_NO_REGS, (void *)address);
            block = NULL;
            continue;
        }
        inside++;
        if (blocks) {
            struct nc_block *last = block;
            block = append(last, insn);
            if (block && block != last)
                qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &block->executed, 1);
        }
    }
    if (inside)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &count->executed, inside);
}

static int fail(const char *why)
{
    static const char who[] = "count_plugin: ";
    if (write(2, who, sizeof who - 1) < 0 || write(2, why, strlen(why)) < 0 || write(2, "\n", 1) < 0)
        return 2;
    return 1;
}

/* The number behind NAME=; zero and everything that is none is an error. */
static _Bool number(const char *argument, const char *name, uint64_t *value)
{
    char *end;
    size_t size = strlen(name);
    if (strncmp(argument, name, size) || argument[size] != '=')
        return 0;
    *value = strtoull(argument + size + 1, &end, 0);
    return *value && !*end;
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    uint64_t fd = 0;
    if (info->system_emulation)
        return fail("user-mode emulation only");
    for (int i = 0; i < argc; i++) {
        if (n_from < MAX_RANGES && n_from == n_to && number(argv[i], "from", &from[n_from]))
            n_from++;
        else if (n_to + 1 == n_from && number(argv[i], "to", &to[n_to]))
            n_to++;
        else if (!strcmp(argv[i], "repeats=on"))
            repeats = 1;
        else if (!number(argv[i], "fd", &fd) && !number(argv[i], "blocks", &max_blocks))
            return fail(argv[i]);
    }
    if (!fd || !n_from || n_from != n_to)
        return fail("fd=N,from=ADDRESS,to=ADDRESS are needed");
    enum { READ = 1, WRITE = 2, SHARED = 1 }; /* the same on every Linux that qemu runs on but MIPS and Alpha */
    if (max_blocks > MAX_BLOCKS)
        return fail("too many blocks");
    size_t table = max_blocks * sizeof(struct nc_block);
    count = mmap(NULL, PAGE + table + max_blocks * SIZES_PER_BLOCK, READ | WRITE, SHARED, (int)fd, 0);
    if (count == (void *)-1)
        return fail("fd cannot be mapped");
    close((int)fd);
    if (max_blocks) {
        blocks = (struct nc_block *)((char *)count + PAGE);
        sizes = (uint8_t *)blocks + table;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    count->ready = NC_READY;
    return 0;
}
