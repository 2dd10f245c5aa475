#include <stdint.h>

typedef struct soft_uart
{
    uint32_t phase    : 2;    /* samples taken of the current bit          */
    uint32_t votes    : 2;    /* how many of them were high                */
    uint32_t bitno    : 4;    /* 0 start, 1.. data, last stop              */
    uint32_t shift    : 9;
    uint32_t nine_bit : 1;    /* multidrop: bit 8 marks an address         */
    uint32_t mute     : 1;
    uint32_t parity   : 1;    /* of the data bits so far                   */
    uint8_t  noise;
    uint8_t  frame_err;
    uint8_t  addr;
} SoftUart_t;

#define SAMPLES_PER_BIT   (3u)
#define BAD_STOP          ((int16_t)-2)

/* Called at the end of a stop bit. Returns 1 if *pValue is to be delivered. */
static int frame_done(SoftUart_t *u, unsigned bStop, int16_t *pValue)
{
    unsigned value = u->shift;

    if (!bStop)
    {
        u->frame_err++;
        *pValue = BAD_STOP;
        return 1;
    }
    if (!u->nine_bit)
    {
        /* eight shifts leave the data one place too high; software parity goes on top */
        *pValue = (int16_t)((value >> 1) | (unsigned)u->parity << 8);
        return 1;
    }
    if (value & 0x100u)
    {
        u->mute = ((value & 0xFFu) != u->addr);
    }
    else if (u->mute)
    {
        return 0;
    }
    *pValue = (int16_t)value;
    return 1;
}

int soft_uart_sample(struct soft_uart *u, const uint8_t *levels, unsigned n, int16_t *out)
{
    int nOut = 0;

    for (unsigned i = 0; i < n; i++)
    {
        unsigned level = levels[i] & 1u;
        unsigned bit;

        if (u->bitno == 0 && u->phase == 0)
        {
            if (level)
                continue;               /* idle */
            u->votes = 0;
            u->phase = 1;
            continue;
        }

        u->votes += level;
        if (u->phase < SAMPLES_PER_BIT - 1u)
        {
            u->phase++;
            continue;
        }

        bit = u->votes >= 2u;
        if (u->votes == 1u || u->votes == 2u)
            u->noise++;
        u->votes = 0;
        u->phase = 0;

        if (u->bitno == 0)
        {
            if (bit)
                continue;               /* glitch, no start bit */
            u->bitno  = 1;
            u->shift  = 0;
            u->parity = 0;
        }
        else if (u->bitno <= (u->nine_bit ? 9u : 8u))
        {
            u->shift   = (uint32_t)u->shift >> 1 | bit << 8;
            u->parity ^= bit;
            u->bitno++;
        }
        else
        {
            int16_t value;

            u->bitno = 0;
            if (frame_done(u, bit, &value))
                out[nOut++] = value;
        }
    }
    return nOut;
}
