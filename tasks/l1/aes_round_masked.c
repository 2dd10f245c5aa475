#include <stdint.h>

/* One AES round for the token's firmware. The table is looked up under a mask and
 * the power trace is smeared by a random number of extra look-ups. */

extern volatile uint8_t TRNG_D;
extern volatile uint8_t AES_SINK;

static uint8_t xtime(uint8_t b)
{
    /* no branch on secret data: 0x1B is and-ed with 0x00 or 0xFF */
    return (uint8_t)((unsigned)b << 1 ^ (0x1Bu & (0u - (unsigned)(b >> 7))));
}

void aes_round_masked(uint8_t st[16], const uint8_t rk[16], const uint8_t sbox[256], unsigned last, uint8_t mask)
{
    uint8_t  t, dummies;
    int      r, c;
    uint8_t (*col)[4] = (uint8_t (*)[4])st;

    /* SubBytes: what comes out still wears the mask */
    for (c = 0; c < 4; c++)
        for (r = 0; r < 4; r++)
            col[c][r] = (uint8_t)(sbox[col[c][r] ^ mask] ^ mask);

    /* dummy look-ups, 0..3 */
    dummies = TRNG_D & 3u;
    while (dummies) {
        AES_SINK = sbox[(uint8_t)(st[dummies] + rk[dummies])];
        dummies--;
    }

    /* ShiftRows, a cycle per row */
    t = col[0][1];
    col[0][1] = col[1][1];
    col[1][1] = col[2][1];
    col[2][1] = col[3][1];
    col[3][1] = t;

    t = col[0][2];
    col[0][2] = col[2][2];
    col[2][2] = t;
    t = col[1][2];
    col[1][2] = col[3][2];
    col[3][2] = t;

    t = col[3][3];
    col[3][3] = col[2][3];
    col[2][3] = col[1][3];
    col[1][3] = col[0][3];
    col[0][3] = t;

    if (!last) {
        for (c = 0; c < 4; c++) {
            uint8_t *a = col[c];
            const uint8_t all = a[0] ^ a[1] ^ a[2] ^ a[3];
            const uint8_t a0 = a[0];

            a[0] ^= all ^ xtime(a[0] ^ a[1]);
            a[1] ^= all ^ xtime(a[1] ^ a[2]);
            a[2] ^= all ^ xtime(a[2] ^ a[3]);
            a[3] ^= all ^ xtime(a[3] ^ a0);
        }
    }

    /* AddRoundKey; 2m ^ 3m ^ m ^ m = m, so mixed or not one mask comes off */
    for (c = 0; c < 16; c++)
        st[c] ^= rk[c] ^ mask;
}
