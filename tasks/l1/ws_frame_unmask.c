/**
 * WebSocket server side, receive direction. Works on whatever the TCP window
 * has delivered so far; payload is unmasked where it lies.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

struct ws_hdr
{
    uint64_t remaining;     //!< payload bytes of the current frame not seen yet
    uint8_t  key[4];        //!< masking key, rotated to the next payload byte
    uint8_t  opcode;
    bool     fin;
};

enum
{
    WS_ERR_RESERVED   = -1,
    WS_ERR_OPCODE     = -2,
    WS_ERR_NOT_MASKED = -3,
    WS_ERR_CONTROL    = -4,
    WS_ERR_LENGTH     = -5,
    WS_ERR_CLOSE      = -6
};

static const uint8_t OP_CLOSE = 0x8;

static size_t unmaskSome(uint8_t *data, size_t have, struct ws_hdr *h)
{
    const size_t count = h->remaining < have ? (size_t)h->remaining : have;
    uint8_t turned[4];

    for (size_t i = 0; i < count; i++)
        data[i] ^= h->key[i & 3];

    for (size_t k = 0; k < 4; k++)
        turned[k] = h->key[(k + count) & 3];
    for (size_t k = 0; k < 4; k++)
        h->key[k] = turned[k];

    h->remaining -= count;
    return count;
}

int64_t ws_frame_unmask(uint8_t *buf, size_t have, struct ws_hdr *h)
{
    if (h->remaining != 0)
        return (int64_t)unmaskSome(buf, have, h);

    if (have < 2)
        return 0;

    const uint8_t opcode = buf[0] & 0x0F;
    const bool    fin    = (buf[0] & 0x80) != 0;
    uint64_t      length = buf[1] & 0x7F;
    size_t        pos    = 2;

    if (buf[0] & 0x70)
        return WS_ERR_RESERVED;
    if ((opcode & 7) > 2)                   // 3..7 and 11..15 are not assigned
        return WS_ERR_OPCODE;
    if (!(buf[1] & 0x80))
        return WS_ERR_NOT_MASKED;

    if (opcode & 8)
    {
        if (!fin || length > 125)
            return WS_ERR_CONTROL;
        if (opcode == OP_CLOSE && length == 1)
            return WS_ERR_CLOSE;            // half a status code
    }

    if (length >= 126)
    {
        const size_t   width = length == 126 ? 2 : 8;
        const uint64_t least = length == 126 ? 126 : 65536;

        if (have < pos + width)
            return 0;
        length = 0;
        for (size_t k = 0; k < width; k++)
            length = length << 8 | buf[pos++];
        if (length < least || (length >> 63) != 0)
            return WS_ERR_LENGTH;
    }

    if (have < pos + 4)
        return 0;
    for (size_t k = 0; k < 4; k++)
        h->key[k] = buf[pos++];

    h->opcode    = opcode;
    h->fin       = fin;
    h->remaining = length;
    pos += unmaskSome(buf + pos, have - pos, h);
    return (int64_t)pos;
}
