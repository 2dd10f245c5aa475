#include <stdint.h>
#include <stddef.h>

typedef uint8_t u8;
typedef uint32_t u32;

#define CRC32_POLY_LE	0xedb88320u

/* Shared with the boot stage, which hands it over zeroed when it had no use for it. */
extern u32 crc_tab[4][256];

static void crc_tab_build(void)
{
	u32 i, k, c;

	for (i = 0; i < 256; i++) {
		c = i;
		for (k = 0; k < 8; k++)
			c = (c & 1) ? (c >> 1) ^ CRC32_POLY_LE : c >> 1;
		crc_tab[0][i] = c;
	}

	/* table k advances a byte through k further zero bytes */
	for (k = 1; k < 4; k++)
		for (i = 0; i < 256; i++) {
			c = crc_tab[k - 1][i];
			crc_tab[k][i] = (c >> 8) ^ crc_tab[0][c & 0xff];
		}
}

/*
 * crc is the raw register: callers seed it with ~0 themselves and pass finish
 * with the last piece. A final call without data hands back what it was given;
 * the updater of release 2 relies on that when an image ends on a block border.
 */
uint32_t crc32_slice4_update(uint32_t crc, const uint8_t *p, size_t n, int finish)
{
	u32 lead = (u32)n & 3;
	u32 w;

	if (n == 0)
		return crc;

	if (crc_tab[0][1] == 0)
		crc_tab_build();

	n -= lead;
	while (lead--)
		crc = (crc >> 8) ^ crc_tab[0][(crc ^ *p++) & 0xff];

	for (; n >= 4; n -= 4, p += 4) {
		w = (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
		w ^= crc;
		crc = crc_tab[3][w & 0xff] ^
		      crc_tab[2][(w >> 8) & 0xff] ^
		      crc_tab[1][(w >> 16) & 0xff] ^
		      crc_tab[0][w >> 24];
	}

	return finish ? ~crc : crc;
}
