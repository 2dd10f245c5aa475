#include <stdint.h>

typedef struct qenc
{
    int32_t  position;      /* extended count */
    int32_t  lastIndex;
    float    velocity;      /* counts per second, filtered */
    uint32_t errors;
    uint16_t counter;       /* as the timer block of the old board had it */
    uint16_t countsPerTurn;
    uint8_t  pins;          /* last sample */
    int8_t   direction;
    uint8_t  flags;
} qenc_t;

#define QF_INDEXED  0x01u
#define QF_SLIP     0x02u

#define PIN_AB      0x03u
#define PIN_INDEX   0x04u

#define SKIP 2

/* [from][to], A in bit 0, B in bit 1; forward is 00 01 11 10 */
static const int8_t kStep[4][4] =
{
    {    0,   +1,   -1, SKIP },
    {   -1,    0, SKIP,   +1 },
    {   +1, SKIP,    0,   -1 },
    { SKIP,   -1,   +1,    0 },
};

int quadrature_update(struct qenc *q, const uint8_t *pins, unsigned n, uint32_t dt_us)
{
    int net = 0;

    for (unsigned i = 0; i < n; i++)
    {
        uint8_t  now  = pins[i];
        int      step = kStep[q->pins & PIN_AB][now & PIN_AB];
        uint16_t before = q->counter;

        if (step == SKIP)
        {
            /* one state was missed; assume that the shaft went on turning */
            q->errors++;
            step = 2 * q->direction;
        }
        else if (step != 0)
        {
            q->direction = (int8_t)step;
        }

        q->counter = (uint16_t)(q->counter + step);
        q->position = (int32_t)((uint32_t)q->position + (uint32_t)(int16_t)(q->counter - before));
        net += step;

        if ((now & PIN_INDEX) && !(q->pins & PIN_INDEX) && step > 0)
        {
            int32_t turn = (int32_t)((uint32_t)q->position - (uint32_t)q->lastIndex);

            if ((q->flags & QF_INDEXED) && turn != q->countsPerTurn)
                q->flags |= QF_SLIP;
            q->flags |= QF_INDEXED;
            q->lastIndex = q->position;
        }
        q->pins = now;
    }

    if (dt_us != 0)
    {
        float v = (float)net / ((float)dt_us * 1.0e-6f);
        float k = ((v < 0.0f) != (q->velocity < 0.0f)) ? 0.5f : 0.125f;

        q->velocity += k * (v - q->velocity);
    }
    return net;
}
