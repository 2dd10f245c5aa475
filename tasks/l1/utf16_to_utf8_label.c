#include <stdint.h>

typedef uint32_t U32;
typedef uint16_t U16;
typedef uint8_t  U8;

enum ByteOrder { bo_Little, bo_Big, bo_Mark };

static U16 GetUnit(const U8 *p, int isBig)
{
    return isBig ? (U16)((U16)p[0] << 8 | p[1]) : (U16)((U16)p[1] << 8 | p[0]);
}

/* Volume label from the disk, for the file dialog and the mount log. */
int utf16_to_utf8_label(const uint8_t *raw, unsigned nbytes, char *out, unsigned cap, unsigned order)
{
    unsigned nUnits = nbytes / 2;
    unsigned i = 0, len = 0;
    int isBig = (order == bo_Big);

    if (cap == 0) {
        return -1;
    }
    if (order == bo_Mark && nUnits > 0) {
        U16 mark = GetUnit(raw, 0);
        if (mark == 0xFFFE) {
            isBig = 1;
            i = 1;
        } else if (mark == 0xFEFF) {
            i = 1;
        }
    }

    while (i < nUnits) {
        U32 c = GetUnit(raw + 2 * i, isBig);
        i++;
        if (c == 0 || c == 0xFFFF) {
            break;                              /* terminator or filler */
        }
        if (c >= 0xFF01 && c <= 0xFF5E) {
            c -= 0xFEE0;                        /* full-width Latin */
        } else if (c >= 0xD800 && c <= 0xDBFF) {
            U32 lo = (i < nUnits) ? GetUnit(raw + 2 * i, isBig) : 0;
            if (lo >= 0xDC00 && lo <= 0xDFFF) {
                c = 0x10000 + ((c - 0xD800) << 10) + (lo - 0xDC00);
                i++;
            } else {
                c = '?';
            }
        } else if (c >= 0xDC00 && c <= 0xDFFF) {
            c = '?';
        } else {
            /* any other unit is a character of its own */
        }

        switch (c) {
        case '"': case '*': case '/': case ':': case '<': case '>': case '|': case '\\':
        case 0x7F:
            c = '_';
            break;
        default:
            if (c < 0x20) {
                c = '_';
            }
            break;
        }

        unsigned need = (c < 0x80) ? 1 : (c < 0x800) ? 2 : (c < 0x10000) ? 3 : 4;
        if (len + need >= cap) {
            out[len] = '\0';
            return -1;
        }
        switch (need) {
        case 1:
            out[len++] = (char)c;
            break;
        case 2:
            out[len++] = (char)(0xC0 | c >> 6);
            out[len++] = (char)(0x80 | (c & 0x3F));
            break;
        case 3:
            out[len++] = (char)(0xE0 | c >> 12);
            out[len++] = (char)(0x80 | (c >> 6 & 0x3F));
            out[len++] = (char)(0x80 | (c & 0x3F));
            break;
        default:
            out[len++] = (char)(0xF0 | c >> 18);
            out[len++] = (char)(0x80 | (c >> 12 & 0x3F));
            out[len++] = (char)(0x80 | (c >> 6 & 0x3F));
            out[len++] = (char)(0x80 | (c & 0x3F));
            break;
        }
    }

    while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == '.')) {
        len--;
    }
    out[len] = '\0';
    return (int)len;
}
