/* Read side of the parameter log.
 *
 *   +0 0xA5   +1 flags   +2 key   +4 length   +6 seq   +7 header sum   +8 payload, padded with FF to a word
 *
 * Flag bits start as 1 and are cleared by a second programming pass, so they are not part of the sum.
 */
#include <stdint.h>

typedef uint8_t  u8;
typedef uint16_t u16;
typedef uint32_t u32;

#define KV_MAGIC      0xA5u
#define KV_HDR        8u
#define KV_nCOMMITTED 0x80u
#define KV_nDELETED   0x40u

struct kv_hit {
	u32 offset;
	u16 len;
	u8  seq;
	u8  flags;
	u16 skipped;	/* words of garbage passed on the way */
};

static u16 get16(const u8 *p) { return (u16)(p[0] | p[1] << 8); }

static int header_ok(const u8 *p)
{
	u8 sum = 0x5A;

	if (p[0] != KV_MAGIC)
		return 0;
	for (unsigned i = 2; i < KV_HDR - 1; i++)
		sum = (u8)(sum + p[i]);
	return sum == p[KV_HDR - 1];
}

int kvlog_find_latest(const uint8_t *img, uint32_t size, uint16_t key, struct kv_hit *hit)
{
	int found = 0, torn = 0;
	u32 pos = 0, end;

	hit->skipped = 0;
	while (pos < size && size - pos >= KV_HDR) {
		const u8 *p = img + pos;
		u16 len;
		u8 seq;

		if (!header_ok(p)) {
			/* blank words are no garbage */
			if ((p[0] & p[1] & p[2] & p[3]) != 0xFF)
				hit->skipped++;
			pos += 4;
			continue;
		}

		len = get16(p + 4);
		seq = p[6];
		if (len > size - pos - KV_HDR) {
			torn = 1;
			pos += 4;
			continue;
		}
		end = (pos + KV_HDR + len + 3u) & ~3u;
		torn = (p[1] & KV_nCOMMITTED) != 0;

		if (!torn && get16(p + 2) == key
		    && (!found || (u8)(seq - hit->seq) < 0x80u)) {
			found = 1;
			hit->offset = pos;
			hit->len = len;
			hit->seq = seq;
			hit->flags = p[1];
		}
		pos = end;
	}

	if (torn)
		return -2;
	if (!found)
		return 0;
	return hit->flags & KV_nDELETED ? 1 : -1;
}
