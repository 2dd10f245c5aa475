/* DHCP client: what the server's answer says about our lease. */
#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>

typedef uint8_t  u8;
typedef uint32_t u32;

struct dhcp_lease {
	u32 addr;
	u32 mask;
	u32 router[3];
	u32 dns[3];
	u32 server;
	u32 lease, renew, rebind;	/* seconds, ~0 is forever */
	u8  nrouter, ndns;
	u8  msgtype;
	u8  overload;
	u32 bad;			/* same bits as the result */
};

#define F_MASK		(1u << 0)
#define F_ROUTER	(1u << 1)
#define F_DNS		(1u << 2)
#define F_LEASE		(1u << 3)
#define F_RENEW		(1u << 4)
#define F_REBIND	(1u << 5)
#define F_TYPE		(1u << 6)
#define F_SERVER	(1u << 7)
#define F_OVERLOAD	(1u << 8)
#define F_CUT		(1u << 15)

#define OFF_YIADDR	16
#define OFF_SNAME	44
#define OFF_FILE	108
#define OFF_COOKIE	236
#define OFF_OPTS	240
#define LEASE_MIN	60u
#define FOREVER		0xFFFFFFFFu

static u32 get32(const u8 *p)
{
	return ((u32)p[0] << 24) | ((u32)p[1] << 16) | ((u32)p[2] << 8) | p[3];
}

static u8 get_list(const u8 *p, unsigned n, u32 *to)
{
	u8 k = 0;

	while (n >= 4 && k < 3) {
		to[k++] = get32(p);
		p += 4;
		n -= 4;
	}
	return k;
}

static unsigned scan(const u8 *p, const u8 *end, struct dhcp_lease *l, unsigned seen, bool main)
{
	while (p < end) {
		unsigned code = *p++, n, bit;
		bool fits;

		if (code == 0)
			continue;
		if (code == 255)
			return seen;
		if (p == end || (unsigned)(end - p) - 1 < *p) {
			l->bad |= F_CUT;
			return seen;
		}
		n = *p++;

		fits = n == 4;
		switch (code) {
		case 1:  bit = F_MASK; break;
		case 3:  bit = F_ROUTER; fits = n && n % 4 == 0; break;
		case 6:  bit = F_DNS; fits = n && n % 4 == 0; break;
		case 51: bit = F_LEASE; break;
		case 52: bit = F_OVERLOAD; fits = n == 1; break;
		case 53: bit = F_TYPE; fits = n == 1; break;
		case 54: bit = F_SERVER; break;
		case 58: bit = F_RENEW; break;
		case 59: bit = F_REBIND; break;
		default: bit = 0; break;
		}

		if (bit == F_OVERLOAD && !main)
			bit = 0;	/* no overload from within an overload */
		if (bit && !fits) {
			l->bad |= bit;
			bit = 0;
		}
		if (bit && !(seen & bit)) {
			seen |= bit;
			switch (bit) {
			case F_MASK:     l->mask = get32(p); break;
			case F_ROUTER:   l->nrouter = get_list(p, n, l->router); break;
			case F_DNS:      l->ndns = get_list(p, n, l->dns); break;
			case F_LEASE:    l->lease = get32(p); break;
			case F_RENEW:    l->renew = get32(p); break;
			case F_REBIND:   l->rebind = get32(p); break;
			case F_TYPE:     l->msgtype = *p; break;
			case F_SERVER:   l->server = get32(p); break;
			default:         l->overload = *p & 3; break;
			}
		}
		p += n;
	}
	return seen;
}

unsigned dhcp_options_scan(const uint8_t *pkt, unsigned len, struct dhcp_lease *l)
{
	unsigned seen;

	if (len < OFF_OPTS || get32(pkt + OFF_COOKIE) != 0x63825363u)
		return 0;

	l->bad = 0;
	l->overload = 0;
	l->nrouter = l->ndns = 0;
	seen = scan(pkt + OFF_OPTS, pkt + len, l, 0, true);
	if (l->overload & 1)
		seen = scan(pkt + OFF_FILE, pkt + OFF_FILE + 128, l, seen, false);
	if (l->overload & 2)
		seen = scan(pkt + OFF_SNAME, pkt + OFF_SNAME + 64, l, seen, false);

	l->addr = get32(pkt + OFF_YIADDR);
	if (!(seen & F_MASK)) {
		u8 top = pkt[OFF_YIADDR];

		l->mask = top < 128 ? 0xFF000000u : top < 192 ? 0xFFFF0000u : 0xFFFFFF00u;
	}

	if (seen & F_LEASE) {
		if (l->lease < LEASE_MIN)
			l->lease = LEASE_MIN;
		if (!(seen & F_REBIND) || l->rebind > l->lease)
			l->rebind = l->lease == FOREVER ? FOREVER : l->lease - l->lease / 8;
		if (!(seen & F_RENEW) || l->renew > l->rebind)
			l->renew = l->lease == FOREVER ? FOREVER : l->lease / 2;
		if (l->renew > l->rebind)
			l->renew = l->rebind;
	}
	return seen;
}
