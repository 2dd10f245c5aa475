#include <stdint.h>

#define E_DIST	(-1)
#define E_INPUT	(-2)
#define E_ROOM	(-3)

/* Boot block decompressor. Has to stay below 512 bytes of code, so no tables. */
int lzss_unpack(const uint8_t *src, unsigned n, uint8_t *dst, unsigned cap)
{
	unsigned in = 0, out = 0;
	unsigned flags = 1;	/* a set bit marks how many are left */

	for (;;) {
		if (flags == 1) {
			if (in == n)
				return E_INPUT;
			flags = src[in++] | 0x100u;
		}

		if (flags & 1) {
			if (in == n)
				return E_INPUT;
			if (out == cap)
				return E_ROOM;
			dst[out++] = src[in++];
		} else {
			unsigned dist, len, more;

			if (n - in < 2)
				return E_INPUT;
			dist = (src[in] | (src[in + 1] & 0x0fu) << 8) + 1;
			len = (src[in + 1] >> 4) + 3u;
			in += 2;

			if (dist == 4096 && len == 3)
				return (int)out;

			if (len == 15 + 3) {
				do {
					if (in == n)
						return E_INPUT;
					more = src[in++];
					len += more;
				} while (more == 255);
			}

			if (dist > out)
				return E_DIST;

			/* byte by byte: the match may run into what it writes */
			while (len--) {
				if (out == cap)
					return E_ROOM;
				dst[out] = dst[out - dist];
				out++;
			}
		}
		flags >>= 1;
	}
}
