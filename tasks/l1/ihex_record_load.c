#include <stdint.h>
#include <stdbool.h>

typedef uint8_t  u8;
typedef uint16_t u16;
typedef uint32_t u32;

extern int prog_write(uint32_t addr, const uint8_t *data, unsigned n);

/* record types */
#define REC_DATA      0
#define REC_END       1
#define REC_SEG_BASE  2
#define REC_SEG_START 3
#define REC_LIN_BASE  4
#define REC_LIN_START 5

#define IHEX_ESYNTAX  -1
#define IHEX_ELENGTH  -2
#define IHEX_ESUM     -3
#define IHEX_EENDED   -4
#define IHEX_ETYPE    -5
#define IHEX_ECOUNT   -6
#define IHEX_EREGION  -7
#define IHEX_EWRITE   -8

struct ihex {
    u32  base;
    u32  first, last;           // region that may be programmed, both inclusive
    u32  lowest, highest;       // addresses really written
    u32  sum;                   // of all data bytes
    u32  entry;
    bool segmented;
    bool ended;
    u16  records;
    u8   data[40];
};

static int Nibble(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static int HexByte(const char *p)
{
    int hi = Nibble(p[0]);
    int lo = Nibble(p[1]);

    return (hi < 0 || lo < 0) ? -1 : hi * 16 + lo;
}

static bool InRegion(const struct ihex *h, u32 addr, unsigned n)
{
    return addr >= h->first && addr <= h->last && n - 1 <= h->last - addr;
}

static bool Program(struct ihex *h, u32 addr, const u8 *data, unsigned n)
{
    if (prog_write(addr, data, n) < 0)
        return false;
    if (addr < h->lowest)
        h->lowest = addr;
    if (addr + (n - 1) > h->highest)
        h->highest = addr + (n - 1);
    while (n--)
        h->sum += *data++;
    return true;
}

int ihex_record_load(struct ihex *h, const char *rec, unsigned n)
{
    u8 head[4], sum = 0;
    unsigned count, room;
    u16 offs;

    if (n > 0 && rec[n - 1] == '\r')
        n--;
    if (n < 11 || rec[0] != ':')
        return IHEX_ESYNTAX;

    for (unsigned i = 0; i < 4; i++) {
        int b = HexByte(rec + 1 + 2 * i);
        if (b < 0)
            return IHEX_ESYNTAX;
        head[i] = (u8)b;
        sum += head[i];
    }
    count = head[0];
    if (count > sizeof h->data || n != 11 + 2 * count)
        return IHEX_ELENGTH;

    for (unsigned i = 0; i <= count; i++) {
        int b = HexByte(rec + 9 + 2 * i);
        if (b < 0)
            return IHEX_ESYNTAX;
        sum += (u8)b;
        if (i < count)
            h->data[i] = (u8)b;
    }
    if (sum != 0)
        return IHEX_ESUM;
    if (h->ended)
        return IHEX_EENDED;

    offs = (u16)(head[1] << 8 | head[2]);
    switch (head[3]) {
    case REC_DATA:
        if (count == 0)
            break;
        /* a segment is 64K long: what runs over its end goes to its beginning */
        room = 0x10000u - offs;
        if (h->segmented && count > room) {
            if (!InRegion(h, h->base + offs, room) || !InRegion(h, h->base, count - room))
                return IHEX_EREGION;
            if (!Program(h, h->base + offs, h->data, room) ||
                !Program(h, h->base, h->data + room, count - room))
                return IHEX_EWRITE;
        } else {
            if (!InRegion(h, h->base + offs, count))
                return IHEX_EREGION;
            if (!Program(h, h->base + offs, h->data, count))
                return IHEX_EWRITE;
        }
        break;

    case REC_END:
        if (count != 0)
            return IHEX_ECOUNT;
        h->ended = true;
        break;

    case REC_SEG_BASE:
    case REC_LIN_BASE:
        if (count != 2)
            return IHEX_ECOUNT;
        h->segmented = head[3] == REC_SEG_BASE;
        h->base = (u32)(h->data[0] << 8 | h->data[1]);
        h->base <<= h->segmented ? 4 : 16;
        break;

    case REC_SEG_START:
    case REC_LIN_START:
        if (count != 4)
            return IHEX_ECOUNT;
        {
            u32 hi = (u32)(h->data[0] << 8 | h->data[1]);
            u32 lo = (u32)(h->data[2] << 8 | h->data[3]);
            h->entry = head[3] == REC_SEG_START ? (hi << 4) + lo : hi << 16 | lo;
        }
        break;

    default:
        return IHEX_ETYPE;
    }
    h->records++;
    return head[3];
}
