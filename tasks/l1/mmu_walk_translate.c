#include <stdint.h>
#include <stdbool.h>

#define TLB_SIZE 8

/* table entry, both levels */
#define E_PRESENT   0x001u
#define E_WRITE     0x002u
#define E_USER      0x004u
#define E_EXEC      0x008u
#define E_ACCESSED  0x020u
#define E_DIRTY     0x040u
#define E_LARGE     0x080u      /* directory only */
#define E_GLOBAL    0x100u
#define E_RIGHTS    (E_WRITE | E_USER | E_EXEC)
#define E_FRAME     0xFFFFF000u
#define E_LARGE_FRAME    0xFFC00000u
#define E_LARGE_RESERVED 0x003FF000u

enum { ACC_WRITE = 1, ACC_USER = 2, ACC_EXEC = 4 };

enum fault { F_NONE, F_ABSENT, F_WRITE, F_USER, F_EXEC, F_RESERVED };

struct tlb_entry {
    uint32_t va, frame;         /* page aligned */
    uint16_t bits;              /* of the entry; rights are those of both levels */
    uint8_t  asid;
    uint8_t  valid;
};

struct mmu {
    uint32_t root;
    uint8_t  asid;
    uint8_t  lfsr;              /* five bits, never zero */
    struct tlb_entry tlb[TLB_SIZE];
    struct {
        uint32_t va;
        uint16_t count;
        uint8_t  code, access;
    } last_fault;
};

struct xlate {
    uint32_t pa;
    uint8_t  fault, level;
    uint8_t  hit, slot;
};

extern uint32_t phys_rd32(uint32_t pa);
extern void phys_wr32(uint32_t pa, uint32_t v);

static uint32_t frameMask(unsigned bits)
{
    return (bits & E_LARGE) ? E_LARGE_FRAME : E_FRAME;
}

static enum fault check(unsigned rights, unsigned access)
{
    if ((access & ACC_USER) && !(rights & E_USER))
        return F_USER;
    if ((access & ACC_WRITE) && !(rights & E_WRITE))
        return F_WRITE;
    if ((access & ACC_EXEC) && !(rights & E_EXEC))
        return F_EXEC;
    return F_NONE;
}

static void setBits(uint32_t at, uint32_t entry, uint32_t bits)
{
    if ((entry & bits) != bits)
        phys_wr32(at, entry | bits);
}

static unsigned victim(struct mmu *m)
{
    for (unsigned i = 0; i < TLB_SIZE; i++)
        if (!m->tlb[i].valid)
            return i;

    unsigned l = m->lfsr & 31u;
    if (l == 0)
        l = 1;
    l = (l << 1 | ((l >> 4 ^ l >> 2) & 1u)) & 31u;
    m->lfsr = (uint8_t)l;
    return l % TLB_SIZE;
}

static struct xlate give(uint32_t frame, uint32_t va, unsigned bits, bool hit, unsigned slot)
{
    struct xlate x;
    x.pa    = frame | (va & ~frameMask(bits));
    x.fault = F_NONE;
    x.level = (bits & E_LARGE) ? 1 : 2;
    x.hit   = hit;
    x.slot  = (uint8_t)slot;
    return x;
}

static struct xlate refuse(struct mmu *m, uint32_t va, unsigned access, enum fault code, unsigned level, bool hit)
{
    struct xlate x = { 0, (uint8_t)code, (uint8_t)level, hit, 0xFF };
    m->last_fault.va     = va;
    m->last_fault.code   = (uint8_t)code;
    m->last_fault.access = (uint8_t)(access & 7u);
    m->last_fault.count++;
    return x;
}

struct xlate mmu_walk_translate(struct mmu *m, uint32_t va, unsigned access)
{
    unsigned slot = TLB_SIZE, i, level = 1;
    enum fault code;

    for (i = 0; i < TLB_SIZE; i++) {
        struct tlb_entry *e = &m->tlb[i];
        if (!e->valid || (va & frameMask(e->bits)) != e->va)
            continue;
        if (!(e->bits & E_GLOBAL) && e->asid != m->asid)
            continue;
        code = check(e->bits, access);
        if (code != F_NONE)
            return refuse(m, va, access, code, (e->bits & E_LARGE) ? 1 : 2, true);
        if (!(access & ACC_WRITE) || (e->bits & E_DIRTY))
            return give(e->frame, va, e->bits, true, i);
        /* first write: the page has to become dirty in memory, so walk again into the same slot */
        e->valid = 0;
        slot = i;
        break;
    }

    uint32_t pdeAt = (m->root & E_FRAME) | (va >> 22) << 2;
    uint32_t pde = phys_rd32(pdeAt);
    uint32_t leafAt = pdeAt, leaf = pde;
    unsigned rights = pde & E_RIGHTS;

    if (!(pde & E_PRESENT))
        return refuse(m, va, access, F_ABSENT, 1, false);
    if (pde & E_LARGE) {
        if (pde & E_LARGE_RESERVED)
            return refuse(m, va, access, F_RESERVED, 1, false);
    } else {
        level = 2;
        leafAt = (pde & E_FRAME) | (va >> 12 & 0x3FFu) << 2;
        leaf = phys_rd32(leafAt);
        if (!(leaf & E_PRESENT))
            return refuse(m, va, access, F_ABSENT, 2, false);
        if (leaf & E_LARGE)             /* reserved down here */
            return refuse(m, va, access, F_RESERVED, 2, false);
        rights &= leaf;
    }

    code = check(rights, access);
    if (code != F_NONE)
        return refuse(m, va, access, code, level, false);

    if (level == 2)
        setBits(pdeAt, pde, E_ACCESSED);
    setBits(leafAt, leaf, E_ACCESSED | ((access & ACC_WRITE) ? E_DIRTY : 0));

    if (slot == TLB_SIZE)
        slot = victim(m);
    struct tlb_entry *e = &m->tlb[slot];
    e->bits = (uint16_t)((leaf & (E_LARGE | E_GLOBAL | E_DIRTY)) | rights);
    if (access & ACC_WRITE)
        e->bits |= E_DIRTY;
    e->va    = va & frameMask(e->bits);
    e->frame = leaf & frameMask(e->bits);
    e->asid  = m->asid;
    e->valid = 1;
    return give(e->frame, va, e->bits, false, slot);
}
