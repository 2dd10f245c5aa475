/**
 * @file  bldc_hall.c
 * @brief Block commutation of the fan motor by three hall sensors.
 */
#include <stdint.h>

extern volatile uint8_t GATE_REG;

extern void drv_fault_log(const char *fmt, ...);

#define GATE_AH 0x01u
#define GATE_AL 0x02u
#define GATE_BH 0x04u
#define GATE_BL 0x08u
#define GATE_CH 0x10u
#define GATE_CL 0x20u
#define UPPER_SWITCHES (GATE_AH | GATE_BH | GATE_CH)

#define NO_SECTOR      0xFFu
#define SPEED_SCALE    6000000
#define MAX_BAD_CODES  3u
#define STALL_LIMIT    4u

struct bldc
{
    int32_t  speed;          /**< signed, 0 while unknown */
    uint16_t interval[6];
    uint16_t lastStamp;
    uint16_t advanceAbove;
    uint16_t shoots;         /**< all-off gaps inserted */
    uint8_t  sector;
    int8_t   dir;            /**< +1, -1, 0 before the first edge */
    uint8_t  slot;
    uint8_t  filled;
    uint8_t  badCodes;
    uint8_t  repeats;
    uint8_t  stalls;
    uint8_t  tripped;
};

static const uint8_t sectorOfHall[8] = { NO_SECTOR, 0, 2, 1, 4, 5, 3, NO_SECTOR };

static const uint8_t gatePattern[2][6] = {
    { GATE_AH | GATE_BL, GATE_AH | GATE_CL, GATE_BH | GATE_CL,
      GATE_BH | GATE_AL, GATE_CH | GATE_AL, GATE_CH | GATE_BL },
    { GATE_BH | GATE_AL, GATE_CH | GATE_AL, GATE_CH | GATE_BL,
      GATE_AH | GATE_BL, GATE_AH | GATE_CL, GATE_BH | GATE_CL },
};

static int trip(struct bldc *m, const char *why, uint8_t hall)
{
    GATE_REG = 0;
    m->tripped = 1;
    drv_fault_log("%s: hall %u sector %u speed %d", why, (unsigned)hall, (unsigned)m->sector, (int)m->speed);
    m->speed = 0;
    return -1;
}

int bldc_hall_commutate(struct bldc *m, uint8_t hall, uint16_t stamp)
{
    if (m->tripped) {
        GATE_REG = 0;
        return -1;
    }

    uint8_t sector = sectorOfHall[hall & 7u];
    if (sector == NO_SECTOR) {
        if (++m->badCodes >= MAX_BAD_CODES)
            return trip(m, "sensor", hall);
        return m->speed;             /* keep the gates as they are */
    }
    m->badCodes = 0;

    unsigned jump = (sector + 6u - m->sector % 6u) % 6u;
    if (jump == 3u)
        return trip(m, "jump", hall);

    if (jump == 0u) {
        /* contact bounce gives one repeat; more means that the rotor hangs */
        if (m->repeats != 0u)
            m->speed = 0;
        else
            m->repeats = 1;
        return m->speed;
    }
    m->repeats = 0;

    int8_t dir = jump < 3u ? 1 : -1;
    if (dir != m->dir) {
        m->dir = dir;
        m->filled = 0;
        m->slot = 0;
        m->speed = 0;
    }

    uint16_t gap = (uint16_t)(stamp - m->lastStamp);
    m->lastStamp = stamp;
    m->sector = sector;
    if (gap == 0u) {
        /* timer stopped or two edges in one tick */
        if (m->stalls < STALL_LIMIT)
            m->stalls++;
        else
            m->speed = 0;
    } else {
        m->stalls = 0;
        m->slot %= 6u;
        m->interval[m->slot++] = gap;
        if (m->filled < 6u)
            m->filled++;

        uint32_t sum = 0;
        for (unsigned k = 0; k < m->filled && k < 6u; k++)
            sum += m->interval[k];
        if (sum != 0u)
            m->speed = dir * (int32_t)((uint32_t)SPEED_SCALE * m->filled / 6u / sum);
    }

    unsigned drive = sector;
    int32_t mag = m->speed < 0 ? -m->speed : m->speed;
    if (mag > m->advanceAbove)
        drive = (drive + (dir > 0 ? 1u : 5u)) % 6u;

    uint8_t next = gatePattern[dir > 0 ? 0 : 1][drive];
    uint8_t toggled = (uint8_t)(GATE_REG ^ next);
    if (toggled & (toggled >> 1) & UPPER_SWITCHES) {
        GATE_REG = 0;
        m->shoots++;
    }
    GATE_REG = next;
    return m->speed;
}
