#include <stdbool.h>
#include <stdint.h>

struct crc_spec
{
    uint64_t poly, init, xorout;
    uint8_t width, refin, refout, check_only;
};

/* Bit number i of the message in the order of the line. */
static unsigned line_bit(const uint8_t *msg, unsigned i, bool lsb_first)
{
    unsigned in_byte = i & 7u;
    return (unsigned)(msg[i >> 3] >> (lsb_first ? in_byte : 7u - in_byte)) & 1u;
}

static uint64_t mirror(uint64_t v, unsigned width)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < width; i++)
    {
        r = (r << 1) | (v & 1u);
        v >>= 1;
    }
    return r;
}

/*
 * One engine for every check that the protocol analyser knows, from the 3-bit
 * one of the cellular control channel up to 64 bits. Speed is no concern here.
 *
 * In checking mode the message carries its check value behind the payload; the
 * value computed goes to *out in both modes, so that the display can show what
 * had been expected.
 */
bool crc_engine_generic(const struct crc_spec *spec, const uint8_t *msg, unsigned nbits, uint64_t *out)
{
    const unsigned width = spec->width;

    if (width < 3 || width > 64)
        return false;
    if ((spec->poly & 1u) == 0)
        return false;

    unsigned payload = nbits;
    if (spec->check_only)
    {
        if (nbits < width)
            return false;
        payload = nbits - width;
    }

    /* The register hangs on bit 63 whatever the width, so the bit that falls
     * out is always the same one and no mask is needed in the loop. */
    const unsigned gap = 64u - width;
    const uint64_t poly = spec->poly << gap;
    uint64_t reg = spec->init << gap;

    for (unsigned i = 0; i < payload; i++)
    {
        unsigned out_bit = (unsigned)(reg >> 63) ^ line_bit(msg, i, spec->refin != 0);

        reg <<= 1;
        if (out_bit)
            reg ^= poly;
    }

    reg >>= gap;
    if (spec->refout)
        reg = mirror(reg, width);
    reg ^= spec->xorout & (~(uint64_t)0 >> gap);
    *out = reg;

    if (!spec->check_only)
        return true;

    uint64_t seen = 0;
    for (unsigned i = payload; i < nbits; i++)
        seen = (seen << 1) | line_bit(msg, i, spec->refin != 0);
    if (spec->refout)
        seen = mirror(seen, width);

    return seen == reg;
}
