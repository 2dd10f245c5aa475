#include <stdint.h>

extern uint8_t fmt_upper;

struct sink {
    char *p;
    unsigned group, run;
    char sep;
};

static void push(struct sink *s, char c)
{
    if (s->group && s->run == s->group) {
        *--s->p = s->sep;
        s->run = 0;
    }
    *--s->p = c;
    s->run++;
}

/* Base 32 without the letters that look like digits; the last five symbols only check. */
static const char crock[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

char *fmt_uint64_radix(char *end, uint64_t v, unsigned radix, unsigned group, char sep)
{
    const char *sym = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char fold = fmt_upper ? 0 : 'a' - 'A';
    struct sink s = { end, group, 0, sep };

    if (radix == 1 || radix > 36) {
        *--s.p = '?';
        return s.p;
    }

    if (radix == 0) {
        char c = crock[v % 37u];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | fold);
        *--s.p = c;             /* stands outside the groups */
        sym = crock;
        radix = 32;
    }

    if ((radix & (radix - 1)) == 0) {
        unsigned shift = 1;
        while ((radix >> shift) > 1)
            shift++;
        do {
            char c = sym[(unsigned)v & (radix - 1)];
            push(&s, c >= 'A' ? (char)(c | fold) : c);
            v >>= shift;
        } while (v);
    } else if (radix == 10) {
        /* one long division for nine digits, the rest in 32 bits */
        while (v > 999999999u) {
            uint32_t lo = (uint32_t)(v % 1000000000u);
            v /= 1000000000u;
            for (int i = 0; i < 9; i++) {
                push(&s, (char)('0' + lo % 10u));
                lo /= 10u;
            }
        }
        uint32_t top = (uint32_t)v;
        do {
            push(&s, (char)('0' + top % 10u));
            top /= 10u;
        } while (top);
    } else {
        do {
            char c = sym[v % radix];
            push(&s, c >= 'A' ? (char)(c | fold) : c);
            v /= radix;
        } while (v);
    }
    return s.p;
}
