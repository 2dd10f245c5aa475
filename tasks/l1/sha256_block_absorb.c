#include <stdint.h>
#include <stddef.h>

/*
 * SHA-256 of the firmware verifier.
 *
 * Every image begins with the same 64-byte vendor header, so the chaining value behind it may be kept
 * (keepMid) and copied back by whoever starts the next run.
 */
struct sha256
{
    uint32_t h[8];
    uint64_t total;         /* bytes so far; total % 64 of them wait in buf */
    uint8_t  buf[64];
    uint32_t mid[8];
    uint32_t keepMid;
    uint32_t haveMid;
};

static const uint32_t K[64] =
{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static uint32_t Ror(uint32_t x, unsigned n)
{
    return x >> n | x << (32u - n);
}

static void Compress(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[16], v[8];
    unsigned i;

    for (i = 0; i < 8; i++)
        v[i] = h[i];

    for (i = 0; i < 64; i++)
    {
        uint32_t t1, t2, *x = &w[i & 15];

        if (i < 16)
        {
            *x = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
        }
        else
        {
            uint32_t a = w[(i + 1) & 15], b = w[(i + 14) & 15];
            *x += (Ror(a, 7) ^ Ror(a, 18) ^ a >> 3) + w[(i + 9) & 15] + (Ror(b, 17) ^ Ror(b, 19) ^ b >> 10);
        }

        t1 = v[7] + (Ror(v[4], 6) ^ Ror(v[4], 11) ^ Ror(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + *x;
        t2 = (Ror(v[0], 2) ^ Ror(v[0], 13) ^ Ror(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = t1 + t2;
    }

    for (i = 0; i < 8; i++)
        h[i] += v[i];
}

void sha256_block_absorb(struct sha256 *s, const uint8_t *p, size_t n, uint8_t *digest)
{
    unsigned used = (unsigned)(s->total & 63u);
    unsigned i;

    while (n > 0)
    {
        if (used == 0 && n >= 64)
        {
            Compress(s->h, p);
            p += 64;
            n -= 64;
            s->total += 64;
        }
        else
        {
            s->buf[used++] = *p++;
            n--;
            s->total++;
            if (used < 64)
                continue;
            Compress(s->h, s->buf);
            used = 0;
        }

        if (s->keepMid && s->total == 64)
        {
            for (i = 0; i < 8; i++)
                s->mid[i] = s->h[i];
            s->haveMid = 1;
        }
    }

    if (!digest)
        return;

    s->buf[used++] = 0x80;
    if (used > 56)
    {
        while (used < 64)
            s->buf[used++] = 0;
        Compress(s->h, s->buf);
        used = 0;
    }
    while (used < 56)
        s->buf[used++] = 0;
    for (i = 0; i < 8; i++)
        s->buf[56 + i] = (uint8_t)((s->total << 3) >> (56 - 8 * i));
    Compress(s->h, s->buf);

    for (i = 0; i < 32; i++)
        digest[i] = (uint8_t)(s->h[i >> 2] >> (24 - 8 * (i & 3)));

    /* nothing of the message stays in RAM; the midstate is for the next image */
    for (i = 0; i < 8; i++)
        s->h[i] = 0;
    for (i = 0; i < 64; i++)
        s->buf[i] = 0;
    s->total = 0;
}
