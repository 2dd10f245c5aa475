/* Crash reports of plug-in modules: which function was it?
 * The image comes from the field and may be anything, so every table is checked before it is read. */
#include <stdint.h>
#include <stdbool.h>

extern void loader_note(unsigned code, uint32_t value);

enum note {
    NOTE_NOT_ELF = 1,
    NOTE_SECTIONS,          /* value: e_shoff */
    NOTE_ENTRY_SIZE,        /* value: entry size found */
    NOTE_NO_SYMBOLS,        /* value: number of sections */
    NOTE_SYMBOLS,           /* value: offset of the table */
    NOTE_STRINGS,           /* value: sh_link */
    NOTE_NAME               /* value: st_name */
};

#define SHT_SYMTAB   2u
#define SHT_STRTAB   3u
#define SECTION_LEN  40u
#define SYMBOL_LEN   16u
#define SLACK        64u    /* assembler labels have no size */

struct image {
    const uint8_t *p;
    uint32_t       n;
    bool           big;
};

static __attribute__((noinline)) uint32_t get(const struct image *im, uint32_t at, unsigned bytes)
{
    uint32_t v = 0;

    for (unsigned k = 0; k < bytes; k++)
        v |= (uint32_t)im->p[at + k] << 8 * (im->big ? bytes - 1 - k : k);
    return v;
}

static bool inside(const struct image *im, uint32_t at, uint32_t len)
{
    return at <= im->n && len <= im->n - at;
}

/* 3 function, 2 object, 1 untyped, 0 not of interest */
static unsigned rank_of(uint32_t info)
{
    switch (info & 15u) {
    case 0:  return 1;
    case 1:  return 2;
    case 2:  return 3;
    default: return 0;
    }
}

int elf_symbol_resolve(const uint8_t *img, uint32_t n, uint32_t addr, char *name, unsigned cap)
{
    struct image im = { img, n, false };

    if (n < 52 || img[0] != 0x7F || img[1] != 'E' || img[2] != 'L' || img[3] != 'F' || img[4] != 1
        || (img[5] != 1 && img[5] != 2)) {
        loader_note(NOTE_NOT_ELF, n);
        return -1;
    }
    im.big = img[5] == 2;

    const uint32_t shoff = get(&im, 32, 4);
    const uint32_t shnum = get(&im, 48, 2);
    if (get(&im, 46, 2) != SECTION_LEN) {
        loader_note(NOTE_ENTRY_SIZE, get(&im, 46, 2));
        return -2;
    }
    if (!inside(&im, shoff, shnum * SECTION_LEN)) {
        loader_note(NOTE_SECTIONS, shoff);
        return -2;
    }

    uint32_t sec = 0;
    while (sec < shnum && get(&im, shoff + sec * SECTION_LEN + 4, 4) != SHT_SYMTAB)
        sec++;
    if (sec == shnum) {
        loader_note(NOTE_NO_SYMBOLS, shnum);
        return -3;
    }

    const uint32_t head   = shoff + sec * SECTION_LEN;
    const uint32_t symoff = get(&im, head + 16, 4);
    const uint32_t symlen = get(&im, head + 20, 4);
    const uint32_t link   = get(&im, head + 24, 4);
    if (get(&im, head + 36, 4) != SYMBOL_LEN) {
        loader_note(NOTE_ENTRY_SIZE, get(&im, head + 36, 4));
        return -3;
    }
    if (!inside(&im, symoff, symlen)) {
        loader_note(NOTE_SYMBOLS, symoff);
        return -3;
    }
    if (link >= shnum || get(&im, shoff + link * SECTION_LEN + 4, 4) != SHT_STRTAB) {
        loader_note(NOTE_STRINGS, link);
        return -4;
    }
    const uint32_t stroff = get(&im, shoff + link * SECTION_LEN + 16, 4);
    const uint32_t strsz = get(&im, shoff + link * SECTION_LEN + 20, 4);
    if (!inside(&im, stroff, strsz)) {
        loader_note(NOTE_STRINGS, link);
        return -4;
    }

    uint32_t best = 0, bestValue = 0, bestSize = 0;
    unsigned bestRank = 0;
    for (uint32_t at = symoff; symlen - (at - symoff) >= SYMBOL_LEN; at += SYMBOL_LEN) {
        uint32_t value = get(&im, at + 4, 4);
        uint32_t size  = get(&im, at + 8, 4);
        unsigned rank  = rank_of(get(&im, at + 12, 1));

        if (rank == 0 || get(&im, at + 14, 2) == 0)
            continue;
        if (addr - value >= (size ? size : SLACK))      /* also below, by wrapping */
            continue;
        if (rank > bestRank
            || (rank == bestRank && (value > bestValue || (value == bestValue && size && !bestSize)))) {
            best = at;
            bestRank = rank;
            bestValue = value;
            bestSize = size;
        }
    }
    if (bestRank == 0)
        return -5;

    const uint32_t offset = addr - bestValue;
    const uint32_t str = get(&im, best, 4);
    unsigned w = 0;

    if (str >= strsz) {
        loader_note(NOTE_NAME, str);
    } else {
        for (uint32_t k = str; k < strsz && img[stroff + k] != 0; k++)
            if (w + 1 < cap)
                name[w++] = (char)img[stroff + k];
    }

    /* "+0x" and the offset without leading zeros */
    char tail[12];
    unsigned len = 0;
    for (uint32_t v = offset; len == 0 || v != 0; v >>= 4)
        tail[len++] = "0123456789abcdef"[v & 15u];
    tail[len++] = 'x';
    tail[len++] = '0';
    tail[len++] = '+';
    while (len != 0 && w + 1 < cap)
        name[w++] = tail[--len];
    if (cap != 0)
        name[w] = '\0';
    return (int)(offset & 0x7FFFFFFFu);
}
