#include <stdint.h>
#include <stddef.h>

/* set by "set match nocase"; header names and host names hash the same then */
extern uint8_t hash_nocase;

#define ROTL64(x, b) (uint64_t)(((x) << (b)) | ((x) >> (64 - (b))))

struct sip
{
	uint64_t v0, v1, v2, v3;
};

static void sip_rounds(struct sip *s, int n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = ROTL64(s->v1, 13) ^ s->v0;
		s->v3 = ROTL64(s->v3, 16) ^ s->v2;
		s->v0 = ROTL64(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = ROTL64(s->v1, 17) ^ s->v2;
		s->v3 = ROTL64(s->v3, 21) ^ s->v0;
		s->v2 = ROTL64(s->v2, 32);
	}
}

static uint64_t sip_sum(const struct sip *s)
{
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint32_t siphash_keyed_bucket(const uint64_t key[2], const uint8_t *msg, size_t n, uint32_t buckets)
{
	struct sip s = {
		key[0] ^ 0x736f6d6570736575ULL,
		key[1] ^ 0x646f72616e646f6dULL,
		key[0] ^ 0x6c7967656e657261ULL,
		key[1] ^ 0x7465646279746573ULL,
	};
	uint64_t w = 0, h, p;
	uint32_t floor;
	int tries;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = msg[i];

		if (hash_nocase && c >= 'A' && c <= 'Z')
			c |= 0x20;
		w |= (uint64_t)c << (8 * (i & 7));
		if ((i & 7) == 7) {
			s.v3 ^= w;
			sip_rounds(&s, 2);
			s.v0 ^= w;
			w = 0;
		}
	}
	w |= (uint64_t)n << 56;
	s.v3 ^= w;
	sip_rounds(&s, 2);
	s.v0 ^= w;

	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	h = sip_sum(&s);

	if (buckets == 0)
		return (uint32_t)(h >> 32) ^ (uint32_t)h;

	/* multiply and keep the top: no division per packet, only one if in doubt */
	p = (h >> 32) * buckets + (((h & 0xffffffffu) * buckets) >> 32);
	if ((uint32_t)p < buckets) {
		floor = (0u - buckets) % buckets;
		for (tries = 0; (uint32_t)p < floor && tries < 3; tries++) {
			sip_rounds(&s, 2);
			h = sip_sum(&s);
			p = (h >> 32) * buckets + (((h & 0xffffffffu) * buckets) >> 32);
		}
	}
	return (uint32_t)(p >> 32);
}
