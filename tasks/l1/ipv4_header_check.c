#include <stdint.h>

struct ip_verdict {
	uint16_t payload_off, payload_len, frag_off;
	uint8_t proto, flags;
	int8_t code;
};

/* ip_verdict.code: where it goes */
#define IP_TO_US	0
#define IP_TO_SUBNET	1
#define IP_TO_ALL	2
#define IP_TO_GROUP	3
#define IP_TO_OTHER	4
/* or why it went to the bin */
#define IP_BAD_LEN	(-1)
#define IP_BAD_VERSION	(-2)
#define IP_BAD_SUM	(-3)
#define IP_EXPIRED	(-4)
#define IP_BAD_OPTION	(-5)
#define IP_SRCROUTE	(-6)
#define IP_BAD_SOURCE	(-7)

/* ip_verdict.flags */
#define IPF_MORE	0x01
#define IPF_DF		0x02
#define IPF_ODD		0x04	/* DF, and yet a fragment */
#define IPF_RECROUTE	0x08
#define IPF_RR_FULL	0x10

#define OPT_END		0
#define OPT_NOP		1
#define OPT_RR		7
#define OPT_LSRR	131
#define OPT_SSRR	137

static inline uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

struct ip_verdict ipv4_header_check(const uint8_t *pkt, uint32_t len, uint32_t my_ip, uint32_t netmask)
{
	struct ip_verdict v = { 0, 0, 0, 0, 0, IP_BAD_LEN };
	uint32_t hlen, total, sum, i, optlen, src, dst, frag;
	uint32_t bcast = (my_ip & netmask) | ~netmask;

	if (len < 20)
		return v;
	if (pkt[0] >> 4 != 4) {
		v.code = IP_BAD_VERSION;
		return v;
	}
	hlen = (pkt[0] & 15u) * 4;
	total = be16(pkt + 2);
	if (hlen < 20 || hlen > total || total > len)
		return v;

	for (sum = 0, i = 0; i < hlen; i += 2)
		sum += be16(pkt + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if (sum != 0xffff) {
		v.code = IP_BAD_SUM;
		return v;
	}

	v.payload_off = (uint16_t)hlen;
	v.payload_len = (uint16_t)(total - hlen);
	v.proto = pkt[9];
	frag = be16(pkt + 6);
	v.frag_off = (uint16_t)(frag << 3);
	if (frag & 0x2000)
		v.flags |= IPF_MORE;
	if (frag & 0x4000) {
		v.flags |= IPF_DF;
		if (frag & 0x3fff)
			v.flags |= IPF_ODD;
	}

	if (pkt[8] == 0) {
		v.code = IP_EXPIRED;
		return v;
	}

	for (i = 20; i < hlen && pkt[i] != OPT_END; i += optlen) {
		const uint8_t *o = pkt + i;

		if (o[0] == OPT_NOP) {
			optlen = 1;
			continue;
		}
		v.code = IP_BAD_OPTION;
		if (i + 1 >= hlen)
			return v;
		optlen = o[1];
		if (optlen < 2 || i + optlen > hlen)
			return v;
		switch (o[0]) {
		case OPT_LSRR:
		case OPT_SSRR:
			v.code = IP_SRCROUTE;
			return v;
		case OPT_RR:
			/* pointer counts from 1 and steps over whole addresses */
			if (optlen < 3 || o[2] < 4 || o[2] & 3)
				return v;
			v.flags |= IPF_RECROUTE;
			if (o[2] + 3u > optlen)
				v.flags |= IPF_RR_FULL;
			break;
		default:
			break;
		}
	}

	src = be32(pkt + 12);
	dst = be32(pkt + 16);
	if (src >> 28 == 14 || src == 0xffffffffu || src == bcast)
		v.code = IP_BAD_SOURCE;
	else if (dst == my_ip)
		v.code = IP_TO_US;
	else if (dst == 0xffffffffu)
		v.code = IP_TO_ALL;
	else if (dst == bcast)
		v.code = IP_TO_SUBNET;
	else if (dst >> 28 == 14)
		v.code = IP_TO_GROUP;
	else
		v.code = IP_TO_OTHER;
	return v;
}
