/* GNSS module on UART2: framing of its binary protocol. */
#include <stdint.h>

#define UBX_SYNC1		0xB5
#define UBX_SYNC2		0x62
#define UBX_BUF			100
#define UBX_LEN_MAX		0x1FFF	/* nothing the module sends is longer */
#define UBX_ANY			(-1)

enum ubx_state {
	US_SYNC1, US_SYNC2, US_CLASS, US_ID, US_LEN_LO, US_LEN_HI, US_BODY, US_SUM_A, US_SUM_B
};

struct ubx {
	uint8_t state;
	uint8_t cls, id;
	uint8_t sum_a, sum_b;
	uint16_t len, pos;
	uint8_t buf[UBX_BUF];
	uint16_t bad_sums, too_long, unwanted;
};

extern void ubx_on_nav(const uint8_t *p, unsigned n);
extern void ubx_on_ack(const uint8_t *p, unsigned n);
extern void ubx_on_mon(const uint8_t *p, unsigned n);

static const struct ubx_route {
	uint8_t cls;
	int16_t id;
	uint16_t min_len;
	void (*handler)(const uint8_t *p, unsigned n);
} ubx_routes[] = {
	{ 0x05, 0x01,    2,  ubx_on_ack },
	{ 0x05, 0x00,    2,  ubx_on_ack },
	{ 0x01, 0x07,    92, ubx_on_nav },	/* PVT */
	{ 0x01, 0x35,    8,  ubx_on_mon },	/* SAT: only watched */
	{ 0x01, UBX_ANY, 4,  ubx_on_nav },
	{ 0x0A, UBX_ANY, 0,  ubx_on_mon },
};

static int dispatch(struct ubx *u)
{
	unsigned k;

	if (u->len > UBX_BUF) {
		u->too_long++;
		return 0;
	}
	for (k = 0; k < sizeof(ubx_routes) / sizeof(ubx_routes[0]); k++) {
		const struct ubx_route *r = &ubx_routes[k];

		if (r->cls != u->cls || (r->id != UBX_ANY && r->id != u->id))
			continue;
		if (u->len < r->min_len)
			break;
		r->handler(u->buf, u->len);
		return 1;
	}
	u->unwanted++;
	return 0;
}

static void sum(struct ubx *u, uint8_t c)
{
	u->sum_a += c;
	u->sum_b += u->sum_a;
}

/* where to go on after a byte that should not have been there */
static uint8_t resync(uint8_t c)
{
	return c == UBX_SYNC1 ? US_SYNC2 : US_SYNC1;
}

int ubx_sync_feed(struct ubx *u, const uint8_t *b, unsigned n)
{
	int frames = 0;

	while (n--) {
		uint8_t c = *b++;

		switch (u->state) {
		case US_SYNC2:
			if (c == UBX_SYNC2) {
				u->state = US_CLASS;
				u->sum_a = u->sum_b = 0;
			} else {
				u->state = resync(c);
			}
			break;
		case US_CLASS:
			u->cls = c;
			sum(u, c);
			u->state = US_ID;
			break;
		case US_ID:
			u->id = c;
			sum(u, c);
			u->state = US_LEN_LO;
			break;
		case US_LEN_LO:
			u->len = c;
			sum(u, c);
			u->state = US_LEN_HI;
			break;
		case US_LEN_HI:
			u->len |= (uint16_t)(c << 8);
			sum(u, c);
			u->pos = 0;
			if (u->len == (UBX_SYNC2 << 8 | UBX_SYNC1)) {
				/* these two were no length but the start of the next frame */
				u->state = US_CLASS;
				u->sum_a = u->sum_b = 0;
			} else if (u->len > UBX_LEN_MAX) {
				u->state = resync(c);
			} else {
				u->state = u->len ? US_BODY : US_SUM_A;
			}
			break;
		case US_BODY:
			sum(u, c);
			if (u->pos < UBX_BUF)
				u->buf[u->pos] = c;
			if (++u->pos >= u->len)
				u->state = US_SUM_A;
			break;
		case US_SUM_A:
			if (c == u->sum_a) {
				u->state = US_SUM_B;
			} else {
				u->bad_sums++;
				u->state = resync(c);
			}
			break;
		case US_SUM_B:
			if (c == u->sum_b) {
				frames += dispatch(u);
				u->state = US_SYNC1;
			} else {
				u->bad_sums++;
				u->state = resync(c);
			}
			break;
		default:
			u->state = resync(c);
			break;
		}
	}
	return frames;
}
