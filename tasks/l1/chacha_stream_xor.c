/* Link encryption for the telemetry radio. */
#include <stddef.h>
#include <stdint.h>

struct chacha {
    uint32_t st[16];        /* 4 constant, 8 key, counter, 3 nonce */
    uint8_t  ks[64];
    uint8_t  left;          /* unused bytes at the end of ks */
    uint8_t  spent;         /* the counter has been all the way */
    uint8_t  rekey;         /* replace the key after 16 blocks */
    uint8_t  blocks;        /* since the key was replaced */
};

static uint32_t rotl(uint32_t x, unsigned n) { return (x << n) | (x >> (32 - n)); }

#define QR(a, b, c, d)                          \
    do {                                        \
        a += b; d ^= a; d = rotl(d, 16);        \
        c += d; b ^= c; b = rotl(b, 12);        \
        a += b; d ^= a; d = rotl(d, 8);         \
        c += d; b ^= c; b = rotl(b, 7);         \
    } while (0)

/* One block into x. Returns 0 when there is no counter value left for it. */
static int next_block(struct chacha *c, uint32_t x[16])
{
    if (c->spent)
        return 0;

    for (int i = 0; i < 16; i++)
        x[i] = c->st[i];
    for (int round = 0; round < 20; round += 2) {
        QR(x[0], x[4], x[8],  x[12]);
        QR(x[1], x[5], x[9],  x[13]);
        QR(x[2], x[6], x[10], x[14]);
        QR(x[3], x[7], x[11], x[15]);
        QR(x[0], x[5], x[10], x[15]);
        QR(x[1], x[6], x[11], x[12]);
        QR(x[2], x[7], x[8],  x[13]);
        QR(x[3], x[4], x[9],  x[14]);
    }
    for (int i = 0; i < 16; i++)
        x[i] += c->st[i];

    if (c->st[12] == UINT32_MAX)
        c->spent = 1;
    else
        c->st[12]++;
    return 1;
}

size_t chacha_stream_xor(struct chacha *c, uint8_t *data, size_t n)
{
    uint32_t x[16];
    size_t done = 0;

    while (done < n) {
        if (c->left == 0) {
            if (c->rekey && c->blocks >= 16) {
                if (!next_block(c, x))
                    break;
                for (int i = 0; i < 8; i++)
                    c->st[4 + i] = x[i];
                c->blocks = 0;
            }
            if (!next_block(c, x))
                break;
            for (int i = 0; i < 16; i++) {
                c->ks[4 * i]     = (uint8_t)x[i];
                c->ks[4 * i + 1] = (uint8_t)(x[i] >> 8);
                c->ks[4 * i + 2] = (uint8_t)(x[i] >> 16);
                c->ks[4 * i + 3] = (uint8_t)(x[i] >> 24);
            }
            c->left = 64;
            c->blocks++;
        }
        data[done++] ^= c->ks[64 - c->left];
        c->ks[64 - c->left] = 0;        /* never twice, not even after a crash dump */
        c->left--;
    }
    return done;
}
