#include <stdbool.h>
#include <stdint.h>

extern void *memset(void *dst, int c, __SIZE_TYPE__ n);

#define FQ_PLUS      0x01u  /* show '+' on positive values */
#define FQ_ZEROPAD   0x02u
#define FQ_COMMA     0x04u  /* decimal comma; groups then use a point */
#define FQ_GROUP     0x08u
#define FQ_TRIM      0x10u

/*
 * 16.16 to text for the front panel.  The caller provides room for
 * max(width, 15) characters and the terminator.
 */
unsigned fmt_q16_decimal(char *out, int32_t q, unsigned decimals, unsigned width, unsigned flags)
{
    static const uint32_t pow10[7] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
    char body[16];
    unsigned pos = sizeof body;     /* body grows downwards */
    unsigned i;

    if (decimals > 6)
        decimals = 6;

    uint32_t mag = q < 0 ? 0u - (uint32_t)q : (uint32_t)q;
    uint64_t scaled = (uint64_t)mag * pow10[decimals];
    uint64_t units = scaled >> 16;
    uint32_t rest = (uint32_t)scaled & 0xFFFFu;

    /* ties to even, as the calibration protocol prints them */
    if (rest > 0x8000u || (rest == 0x8000u && (units & 1u)))
        units++;

    const bool minus = q < 0 && units != 0;
    uint32_t ipart = (uint32_t)(units / pow10[decimals]);
    uint32_t fpart = (uint32_t)(units % pow10[decimals]);

    if (flags & FQ_TRIM) {
        while (decimals > 0 && fpart % 10 == 0) {
            fpart /= 10;
            decimals--;
        }
    }

    if (decimals > 0) {
        for (i = 0; i < decimals; i++) {
            body[--pos] = (char)('0' + fpart % 10);
            fpart /= 10;
        }
        body[--pos] = (flags & FQ_COMMA) ? ',' : '.';
    }

    i = 0;
    do {
        if (i == 3 && (flags & FQ_GROUP))
            body[--pos] = (flags & FQ_COMMA) ? '.' : ',';
        body[--pos] = (char)('0' + ipart % 10);
        ipart /= 10;
        i++;
    } while (ipart != 0);

    char sign = minus ? '-' : (flags & FQ_PLUS) ? '+' : 0;
    unsigned blen = sizeof body - pos;
    unsigned len = blen + (sign != 0);
    unsigned pad = 0;

    if (width != 0) {
        if (len > width) {
            memset(out, '#', width);
            out[width] = '\0';
            return width;
        }
        pad = width - len;
    }

    char *p = out;
    if (!(flags & FQ_ZEROPAD)) {
        while (pad > 0) {
            *p++ = ' ';
            pad--;
        }
    }
    if (sign)
        *p++ = sign;
    while (pad > 0) {
        *p++ = '0';
        pad--;
    }
    for (i = pos; i < sizeof body; i++)
        *p++ = body[i];
    *p = '\0';
    return (unsigned)(p - out);
}
