// 12-bit constant-current LED drivers, daisy-chained. The word that is sent first ends up
// in the driver farthest away, so the chain is fed back to front.

#include <stdint.h>

#define CHAIN_MAX   48u
#define GS_MAX      4095u
#define OPEN_BITS   0xF0u

extern uint8_t spi_xfer(uint8_t out);

// 65535 * (k/16)^2.2
static const uint16_t gammaKnots[17] = {
        0,   147,   676,  1648,  3104,  5072,  7574, 10632,
    14263, 18482, 23303, 28739, 34802, 41503, 48853, 56860, 65535
};

// linear 16-bit brightness to the 12-bit greyscale of the driver
static uint16_t toGreyscale(uint16_t level, uint8_t dim)
{
    uint32_t lin  = ((uint32_t)level * (dim + 1u)) >> 8;
    uint32_t knot = lin >> 12;
    uint32_t frac = lin & 0xFFFu;
    uint32_t lo   = gammaKnots[knot];
    uint32_t hi   = gammaKnots[knot + 1];
    uint32_t v    = lo + (((hi - lo) * frac + 2048u) >> 12);

    v = (v + 8u) >> 4;
    return (uint16_t)(v > GS_MAX ? GS_MAX : v);
}

unsigned led_chain_shift12(const uint16_t *level, unsigned count, uint8_t global_dim)
{
    uint8_t  pack[3];
    unsigned nOpen = 0;
    unsigned i, k;

    if (count > CHAIN_MAX)
        count = CHAIN_MAX;
    i = count;

    if (count & 1u) {
        // the pad nibble runs off the end of the chain
        uint16_t g = toGreyscale(level[--i], global_dim);

        nOpen += (spi_xfer((uint8_t)(g >> 8)) & OPEN_BITS) != 0;
        nOpen += (spi_xfer((uint8_t)g) & OPEN_BITS) != 0;
    }

    while (i != 0) {
        uint16_t first  = toGreyscale(level[i - 1], global_dim);
        uint16_t second = toGreyscale(level[i - 2], global_dim);

        pack[0] = (uint8_t)(first >> 4);
        pack[1] = (uint8_t)((first << 4) | (second >> 8));
        pack[2] = (uint8_t)second;
        for (k = 0; k < sizeof pack; k++) {
            if (spi_xfer(pack[k]) & OPEN_BITS)
                nOpen++;
        }
        i -= 2;
    }
    return nOpen;
}
