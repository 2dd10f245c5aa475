#include <stddef.h>
#include <stdint.h>

#define ASCII_ONLY  1u
#define HTML_SAFE   2u

/* bytes of a UTF-8 sequence by the five high bits of its first byte, 0: cannot start one */
static const uint8_t seq_len[32] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 3, 3, 4, 0,
};

static size_t u_escape(char *dst, uint32_t unit) {
    dst[0] = '\\';
    dst[1] = 'u';
    for (int i = 0; i < 4; i++)
        dst[2 + i] = "0123456789abcdef"[unit >> (12 - 4 * i) & 0xF];
    return 6;
}

// Telemetry strings. The text is not terminated; a short buffer gets a valid but shorter string.
size_t json_string_escape(const uint8_t *s, size_t n, char *out, size_t cap, unsigned ascii_only) {
    const size_t limit = cap > 0 ? cap - 1 : 0;     // one place kept for the closing quote
    size_t pos = 0, total = 2;
    int full = limit == 0;

    if (!full)
        out[pos++] = '"';

    for (size_t i = 0; i < n;) {
        char esc[12];
        size_t elen = 0;                            // 0: the source bytes go out as they are
        size_t take = seq_len[s[i] >> 3];
        uint32_t cp = s[i];

        if (take > 1) {
            cp &= 0x7Fu >> take;
            size_t k = 1;
            while (k < take && i + k < n && (s[i + k] & 0xC0) == 0x80)
                cp = cp << 6 | (s[i + k++] & 0x3Fu);
            if (k < take || cp > 0x10FFFF)
                cp = 0xFFFD, elen = 6;
            take = k;
        } else if (take == 0) {
            cp = 0xFFFD, elen = 6;
            take = 1;
        }

        switch (cp) {
        case '"':  esc[1] = '"';  elen = 2; break;
        case '\\': esc[1] = '\\'; elen = 2; break;
        case '\b': esc[1] = 'b';  elen = 2; break;
        case '\f': esc[1] = 'f';  elen = 2; break;
        case '\n': esc[1] = 'n';  elen = 2; break;
        case '\r': esc[1] = 'r';  elen = 2; break;
        case '\t': esc[1] = 't';  elen = 2; break;
        case '<': case '>': case '&':
            if (ascii_only & HTML_SAFE) elen = 6;
            break;
        case 0x7F: case 0x2028: case 0x2029:        // the latter two end lines in old scripts
            elen = 6;
            break;
        default:
            if (cp < 0x20 || (cp > 0x7F && (ascii_only & ASCII_ONLY))) elen = 6;
            break;
        }
        if (elen == 2) {
            esc[0] = '\\';
        } else if (elen == 6) {
            if (cp >= 0x10000) {
                u_escape(esc, 0xD7C0 + (cp >> 10));
                elen += u_escape(esc + 6, 0xDC00 | (cp & 0x3FF));
            } else {
                u_escape(esc, cp);
            }
        }

        size_t want = elen ? elen : take;
        total += want;
        if (full || pos + want > limit) {
            full = 1;
        } else {
            for (size_t k = 0; k < want; k++)
                out[pos++] = elen ? esc[k] : (char)s[i + k];
        }
        i += take;
    }
    if (cap > 0)
        out[pos] = '"';
    return total;
}
