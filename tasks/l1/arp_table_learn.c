#include <stdint.h>
#include <stddef.h>

#define ARP_SLOTS        10
#define ARP_REQUEST      1u
#define ARP_REPLY        2u
#define ARP_HOLD_MS      5000u    // one address change per entry in this time
#define ARP_DEFEND_MS    10000u   // RFC 5227, DEFEND_INTERVAL

#define ARP_IGNORED      (-1)
#define ARP_CONFLICT     (-2)

typedef enum { ARP_FREE = 0, ARP_INCOMPLETE, ARP_VALID, ARP_STATIC } ArpState;

struct arp_entry {
    uint32_t ip;
    uint8_t  mac[6];
    uint8_t  state;       // ArpState
    uint8_t  tries;
    uint32_t stamp;
    uint8_t  has_pending;
};

struct arp_tab {
    struct {
        uint32_t ip;
        uint8_t  mac[6];
        uint16_t conflicts;
        uint32_t defended;   // ms
    } own;
    uint32_t rxTarget;       // target protocol address of the packet at hand
    uint16_t dropped;
    struct arp_entry e[ARP_SLOTS];
};

extern void eth_tx_arp(uint32_t ip, const uint8_t *mac, uint16_t op);
extern void eth_release_pending(unsigned slot);

static int sameMac(const uint8_t *a, const uint8_t *b)
{
    uint8_t diff = 0;
    for (int i = 0; i < 6; i++)
        diff |= a[i] ^ b[i];
    return diff == 0;
}

static void fill(struct arp_entry *e, const uint8_t *mac, uint32_t now)
{
    for (int i = 0; i < 6; i++)
        e->mac[i] = mac[i];
    e->state = ARP_VALID;
    e->tries = 0;
    e->stamp = now;
}

// Oldest entry in the given state, or -1.
static int oldest(const struct arp_tab *t, ArpState state, uint32_t now)
{
    int      found = -1;
    uint32_t age = 0;
    for (int i = 0; i < ARP_SLOTS; i++) {
        if (t->e[i].state == (uint8_t)state && (found < 0 || now - t->e[i].stamp > age)) {
            found = i;
            age = now - t->e[i].stamp;
        }
    }
    return found;
}

int arp_table_learn(struct arp_tab *t, uint32_t ip, const uint8_t mac[6], unsigned op, uint32_t now)
{
    int slot = -1;

    if (ip == t->own.ip && sameMac(mac, t->own.mac))
        return ARP_IGNORED;                       // our own announcement, reflected

    if ((mac[0] & 1u) || ip == t->own.ip) {
        t->own.conflicts++;
        if (now - t->own.defended >= ARP_DEFEND_MS) {
            t->own.defended = now;
            eth_tx_arp(t->own.ip, t->own.mac, ARP_REQUEST);
        }
        return ARP_CONFLICT;
    }
    if (op != ARP_REQUEST && op != ARP_REPLY)
        return ARP_IGNORED;

    for (int i = 0; i < ARP_SLOTS; i++) {
        if (t->e[i].state != ARP_FREE && t->e[i].ip == ip) {
            slot = i;
            break;
        }
    }

    const int forUs = op == ARP_REQUEST && t->rxTarget == t->own.ip;

    if (slot >= 0) {
        struct arp_entry *e = &t->e[slot];
        switch (e->state) {
        case ARP_INCOMPLETE:
            fill(e, mac, now);
            if (e->has_pending) {
                e->has_pending = 0;
                eth_release_pending((unsigned)slot);
            }
            break;
        case ARP_VALID:
            if (!sameMac(e->mac, mac) && now - e->stamp < ARP_HOLD_MS)
                return ARP_IGNORED;
            fill(e, mac, now);
            break;
        default:
            if (!sameMac(e->mac, mac))
                return ARP_IGNORED;
            break;
        }
    } else if (forUs) {
        slot = oldest(t, ARP_FREE, now);
        if (slot < 0)
            slot = oldest(t, ARP_INCOMPLETE, now);
        if (slot < 0)
            slot = oldest(t, ARP_VALID, now);
        if (slot >= 0) {
            struct arp_entry *e = &t->e[slot];
            if (e->has_pending && e->state == ARP_INCOMPLETE)
                t->dropped++;
            e->has_pending = 0;
            e->ip = ip;
            fill(e, mac, now);
        }
    }

    if (forUs)
        eth_tx_arp(ip, mac, ARP_REPLY);
    return slot;
}
