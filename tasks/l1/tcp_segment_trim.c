#include <stdint.h>
#include <stdbool.h>

typedef uint32_t tcp_seq;

struct tcp_rcv {
    tcp_seq  nxt;
    uint16_t wnd;
    uint8_t  scale;
    uint32_t dup, old, future;
};

struct tcp_seg {
    tcp_seq  seq;
    uint16_t len, off;
    uint16_t syn : 1, fin : 1, rst : 1, ack : 1, psh : 1;
};

#define TRIM_ACCEPT   0x1u
#define TRIM_SENDACK  0x2u
#define TRIM_RESET    0x4u
#define TRIM_ADVANCE  0x8u

#define SEQ_LT(a, b)  ((int32_t)((a) - (b)) < 0)
#define SEQ_GEQ(a, b) (!SEQ_LT(a, b))

static bool in_window(tcp_seq s, tcp_seq nxt, uint32_t win)
{
    return SEQ_GEQ(s, nxt) && SEQ_LT(s, nxt + win);
}

unsigned tcp_segment_trim(struct tcp_rcv *r, struct tcp_seg *s)
{
    uint8_t  shift = r->scale & 15u;
    uint32_t win, space, excess;
    unsigned res = TRIM_ACCEPT;
    bool     ok;

    if (shift > 14)
        shift = 14;                     /* RFC 7323, 2.3 */
    win   = (uint32_t)r->wnd << shift;
    space = (uint32_t)s->len + s->syn + s->fin;

    if (space == 0) {
        ok = win ? in_window(s->seq, r->nxt, win) : s->seq == r->nxt;
    } else {
        ok = win && (in_window(s->seq, r->nxt, win) ||
                     in_window(s->seq + space - 1, r->nxt, win));
    }

    if (!ok) {
        if (SEQ_LT(s->seq, r->nxt))
            r->old++;
        else
            r->future++;
        return s->rst ? 0 : TRIM_SENDACK;
    }

    if (s->rst) {
        /* blind resets only get a challenge */
        return s->seq == r->nxt ? TRIM_RESET : TRIM_SENDACK;
    }

    if (SEQ_LT(s->seq, r->nxt)) {
        uint32_t cut = r->nxt - s->seq;

        s->seq = r->nxt;
        res |= TRIM_SENDACK;            /* the peer missed an ACK of ours */
        if (s->syn) {
            s->syn = 0;
            cut--;
        }
        /* the last octet is in the window, so the FIN survives this */
        r->dup += cut;
        s->off = (uint16_t)(s->off + cut);
        s->len = (uint16_t)(s->len - cut);
    }

    excess = s->seq + s->len + s->syn + s->fin - (r->nxt + win);
    if ((int32_t)excess > 0) {
        if (s->fin) {
            s->fin = 0;
            excess--;
        }
        s->psh = 0;
        s->len = (uint16_t)(s->len - excess);
        res |= TRIM_SENDACK;
    }

    if (s->seq == r->nxt && (s->len || s->syn || s->fin))
        res |= TRIM_ADVANCE;
    return res;
}
