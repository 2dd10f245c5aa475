// ISO 15765-2 receiver, one call per CAN frame. Normal addressing, classic CAN only.
#include <stdint.h>
#include <stddef.h>

typedef uint8_t  u8;
typedef uint16_t u16;
typedef uint32_t u32;

extern void *memcpy(void *dst, const void *src, size_t n);
extern int isotp_send_fc(uint32_t id, uint8_t flag, uint8_t block, uint8_t st_min);

struct isotp_rx {
    u8  buf[256];
    u16 total, got;
    u8  seq, bs, bs_left, active;
    u32 peer;
};

enum { PCI_SF = 0, PCI_FF = 1, PCI_CF = 2 };
enum { FC_CTS = 0, FC_OVFLW = 2 };

#define ST_MIN      0x0Au

#define E_SEQ       (-1)
#define E_SHORT     (-2)
#define E_UNEXP     (-3)
#define E_OVFL      (-4)
#define E_BUS       (-5)

int isotp_rx_step(struct isotp_rx *r, const uint8_t *frame, unsigned dlc)
{
    unsigned n, low;

    if (dlc == 0)
        return E_SHORT;
    low = frame[0] & 0x0Fu;

    switch (frame[0] >> 4) {
    case PCI_SF:
        // 6.5.3: a new message always ends the one under way, even when it is unusable itself
        r->active = 0;
        if (low == 0 || low > 7)
            return 0;
        if (dlc < low + 1)
            return E_SHORT;
        memcpy(r->buf, frame + 1, low);
        r->total = r->got = (u16)low;
        return (int)low;

    case PCI_FF:
        if (dlc < 8)
            return E_SHORT;
        n = low << 8 | frame[1];
        if (n <= 8)
            return E_UNEXP;             // would have fitted a single frame
        if (n > sizeof r->buf) {
            r->active = 0;
            isotp_send_fc(r->peer, FC_OVFLW, 0, 0);
            return E_OVFL;
        }
        memcpy(r->buf, frame + 2, 6);
        r->total = (u16)n;
        r->got = 6;
        r->seq = 1;
        r->bs_left = r->bs;
        r->active = 1;
        if (isotp_send_fc(r->peer, FC_CTS, r->bs, ST_MIN) < 0) {
            r->active = 0;
            return E_BUS;
        }
        return 0;

    case PCI_CF:
        if (!r->active)
            return E_UNEXP;
        if (low != (r->seq & 0x0Fu)) {
            r->active = 0;
            return E_SEQ;
        }
        n = (unsigned)(r->total - r->got);
        if (n > 7)
            n = 7;
        if (dlc < n + 1) {
            r->active = 0;
            return E_SHORT;
        }
        memcpy(r->buf + r->got, frame + 1, n);
        r->got = (u16)(r->got + n);
        r->seq = (u8)((r->seq + 1) & 0x0F);
        if (r->got == r->total) {
            r->active = 0;
            return r->total;
        }
        if (r->bs != 0 && --r->bs_left == 0) {
            r->bs_left = r->bs;
            if (isotp_send_fc(r->peer, FC_CTS, r->bs, ST_MIN) < 0) {
                r->active = 0;
                return E_BUS;
            }
        }
        return 0;

    default:                            // flow control belongs to the sender side
        return 0;
    }
}
