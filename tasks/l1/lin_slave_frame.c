/* Body electronics, door module, LIN 2.1 slave task */
#include <stdint.h>
#include <stddef.h>

#define LIN_MAX_DATA	8
#define LIN_DIAG_REQ	0x3C	/* master request and slave response */
#define LIN_DIAG_RSP	0x3D	/* always carry the classic checksum */

enum { LIN_SUBSCRIBE = 0, LIN_PUBLISH = 1 };

struct lin_slot {
	uint8_t id, dir, len, classic;
	uint8_t data[LIN_MAX_DATA];
};

struct lin_node {
	struct lin_slot slots[8];
	uint8_t nslots;
	uint8_t resp_error;		/* reported in the next response, then cleared */
	uint8_t tx[LIN_MAX_DATA + 1];
};

extern void lin_respond(const uint8_t *bytes, unsigned len);

static const uint8_t protected_id[64] = {
	0x80, 0xc1, 0x42, 0x03, 0xc4, 0x85, 0x06, 0x47,
	0x08, 0x49, 0xca, 0x8b, 0x4c, 0x0d, 0x8e, 0xcf,
	0x50, 0x11, 0x92, 0xd3, 0x14, 0x55, 0xd6, 0x97,
	0xd8, 0x99, 0x1a, 0x5b, 0x9c, 0xdd, 0x5e, 0x1f,
	0x20, 0x61, 0xe2, 0xa3, 0x64, 0x25, 0xa6, 0xe7,
	0xa8, 0xe9, 0x6a, 0x2b, 0xec, 0xad, 0x2e, 0x6f,
	0xf0, 0xb1, 0x32, 0x73, 0xb4, 0xf5, 0x76, 0x37,
	0x78, 0x39, 0xba, 0xfb, 0x3c, 0x7d, 0xfe, 0xbf,
};

static uint8_t lin_checksum(uint8_t seed, const uint8_t *p, unsigned len)
{
	unsigned sum = seed;

	while (len--) {
		sum += *p++;
		if (sum > 0xff)
			sum -= 0xff;	/* carry comes back in */
	}
	return (uint8_t)~sum;
}

int lin_slave_frame(struct lin_node *n, uint8_t pid, const uint8_t *rx, unsigned rxlen)
{
	struct lin_slot *s;
	unsigned id = pid & 0x3f, i;
	uint8_t seed;

	if (protected_id[id] != pid) {
		n->resp_error = 1;
		return -1;
	}

	for (i = 0; i < n->nslots && i < 8; i++)
		if (n->slots[i].id == id)
			break;
	if (i == n->nslots || i == 8)
		return -2;		/* meant for somebody else: no error */

	s = &n->slots[i];
	if (s->len == 0 || s->len > LIN_MAX_DATA) {
		n->resp_error = 1;
		return -3;
	}
	seed = (s->classic || id == LIN_DIAG_REQ || id == LIN_DIAG_RSP) ? 0 : pid;

	if (s->dir == LIN_PUBLISH) {
		for (unsigned k = 0; k < s->len; k++)
			n->tx[k] = s->data[k];
		n->tx[0] = (uint8_t)((n->tx[0] & 0x7f) | (n->resp_error ? 0x80 : 0));
		n->tx[s->len] = lin_checksum(seed, n->tx, s->len);
		n->resp_error = 0;
		lin_respond(n->tx, s->len + 1u);
		return (int)i;
	}

	if (rxlen != s->len + 1u) {
		n->resp_error = 1;
		return -3;
	}
	if (lin_checksum(seed, rx, s->len) != rx[s->len]) {
		n->resp_error = 1;
		return -4;
	}
	for (unsigned k = 0; k < s->len; k++)
		s->data[k] = rx[k];
	return (int)i;
}
