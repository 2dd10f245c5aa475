// Modbus ASCII slave: one request line in, one reply line out.
//
//   ':' unit function data... lrc CR LF       (everything between as pairs of hex digits)

#include <stdint.h>
#include <stdbool.h>

enum { FN_READ = 3, FN_WRITE = 6, FN_WRITE_MANY = 16, FN_MASK = 22 };
enum { EX_FUNCTION = 1, EX_ADDRESS = 2, EX_VALUE = 3 };

#define PDU_MAX      46u
#define READ_MAX     32u
#define WRITE_MAX    16u
#define OVERHEAD     3u      // colon, CR, LF

extern uint8_t mb_unit;

static int hexDigit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

// Binary request to binary reply (after unit and function). Returns the reply's length,
// or minus the exception code.
static int perform(const uint8_t *req, unsigned len, uint8_t *rsp, uint16_t *regs, unsigned nregs)
{
    unsigned addr = len >= 4 ? be16(req + 2) : 0;
    unsigned i, qty;

    switch (req[1]) {
    case FN_READ:
        if (len != 6) return -EX_VALUE;
        qty = be16(req + 4);
        if (qty == 0 || qty > READ_MAX) return -EX_VALUE;
        if (addr + qty > nregs) return -EX_ADDRESS;
        rsp[0] = (uint8_t)(2 * qty);
        for (i = 0; i < qty; i++) {
            rsp[1 + 2 * i] = (uint8_t)(regs[addr + i] >> 8);
            rsp[2 + 2 * i] = (uint8_t)regs[addr + i];
        }
        return (int)(1 + 2 * qty);

    case FN_WRITE:
        if (len != 6) return -EX_VALUE;
        if (addr >= nregs) return -EX_ADDRESS;
        regs[addr] = (uint16_t)be16(req + 4);
        break;

    case FN_MASK: {
        if (len != 8) return -EX_VALUE;
        if (addr >= nregs) return -EX_ADDRESS;
        unsigned keep = be16(req + 4), set = be16(req + 6);
        regs[addr] = (uint16_t)((regs[addr] & keep) | (set & ~keep));
        for (i = 0; i < 6; i++) rsp[i] = req[2 + i];
        return 6;
    }

    case FN_WRITE_MANY:
        if (len < 7) return -EX_VALUE;
        qty = be16(req + 4);
        if (qty == 0 || qty > WRITE_MAX || req[6] != 2 * qty || len != 7 + 2 * qty) return -EX_VALUE;
        if (addr + qty > nregs) return -EX_ADDRESS;
        for (i = 0; i < qty; i++) regs[addr + i] = (uint16_t)be16(req + 7 + 2 * i);
        break;

    default:
        return -EX_FUNCTION;
    }

    for (i = 0; i < 4; i++) rsp[i] = req[2 + i];    // address and value, or address and quantity
    return 4;
}

int modbus_ascii_serve(const char *line, unsigned n, char *reply, uint16_t *regs, unsigned nregs)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t req[PDU_MAX + 1];
    uint8_t rsp[4 + 2 * READ_MAX];
    unsigned len, i, out;
    uint8_t lrc = 0;
    int got;

    if (n < OVERHEAD + 6 || (n - OVERHEAD) % 2 != 0 || (n - OVERHEAD) / 2 > PDU_MAX + 1) return -1;
    if (line[0] != ':' || line[n - 2] != '\r' || line[n - 1] != '\n') return -1;

    len = (n - OVERHEAD) / 2;
    for (i = 0; i < len; i++) {
        int hi = hexDigit(line[1 + 2 * i]), lo = hexDigit(line[2 + 2 * i]);
        if (hi < 0 || lo < 0) return -1;
        req[i] = (uint8_t)(hi << 4 | lo);
        lrc = (uint8_t)(lrc + req[i]);
    }
    if (lrc != 0) return -1;
    len--;                                          // the sum byte has done its work

    if (req[0] != 0 && req[0] != mb_unit) return 0;
    if (req[0] == 0 && req[1] == FN_READ) return 0; // nobody may answer a broadcast

    got = perform(req, len, rsp + 2, regs, nregs);
    if (req[0] == 0) return 0;

    rsp[0] = req[0];
    rsp[1] = req[1];
    if (got < 0) {
        rsp[1] |= 0x80u;
        rsp[2] = (uint8_t)-got;
        got = 1;
    }

    out = 0;
    reply[out++] = ':';
    lrc = 0;
    for (i = 0; i < (unsigned)got + 3; i++) {
        uint8_t b = i < (unsigned)got + 2 ? rsp[i] : (uint8_t)(0u - lrc);
        lrc = (uint8_t)(lrc + b);
        reply[out++] = digits[b >> 4];
        reply[out++] = digits[b & 15];
    }
    reply[out++] = '\r';
    reply[out++] = '\n';
    return (int)out;
}
