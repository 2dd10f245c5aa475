#include <stdint.h>

#define TIM_BDTR_DTG_MASK     0x000000FFUL
#define TIM_BDTR_LOCK_MASK    0x00000300UL
#define TIM_BDTR_MOE          0x00008000UL
#define TIM_CCER_CC1E         0x0001UL
#define TIM_CCER_CC1NE        0x0004UL
#define TIM_EGR_UG            0x0001UL

#define DTG_E_TOO_LONG        (-1)
#define DTG_E_LOCKED          (-2)

struct TIM_Regs
{
    uint32_t arr;
    uint32_t ccr;
    uint32_t bdtr;
    uint32_t ccer;
    uint32_t egr;
};

extern volatile struct TIM_Regs TIM8;

int pwm_deadtime_encode(uint32_t tim_hz, uint32_t ns, uint32_t duty_q16)
{
    uint64_t ticks64;
    uint32_t ticks, dead, code, period, high, bdtr, ccer;

    /* A dead time that is short by a fraction of a tick shoots through: round up. */
    ticks64 = ((uint64_t)ns * tim_hz + 999999999ULL) / 1000000000ULL;
    if (ticks64 > 1008ULL)
    {
        return DTG_E_TOO_LONG;
    }
    ticks = (uint32_t)ticks64;

    if (ticks <= 127UL)
    {
        code = ticks;
        dead = ticks;
    }
    else if (ticks <= 254UL)
    {
        dead = (ticks + 1UL) & ~1UL;
        code = 0x80UL | (dead / 2UL - 64UL);
    }
    else if (ticks <= 504UL)
    {
        dead = (ticks + 7UL) & ~7UL;
        code = 0xC0UL | (dead / 8UL - 32UL);
    }
    else
    {
        dead = (ticks + 15UL) & ~15UL;
        code = 0xE0UL | (dead / 16UL - 32UL);
    }

    bdtr = TIM8.bdtr;
    if (((bdtr & TIM_BDTR_LOCK_MASK) != 0UL) && ((bdtr & TIM_BDTR_DTG_MASK) != code))
    {
        return DTG_E_LOCKED;
    }

    period = (TIM8.arr & 0xFFFFUL) + 1UL;
    if (duty_q16 >= 0x10000UL)
    {
        high = period;
    }
    else
    {
        high = (uint32_t)(((uint64_t)period * duty_q16) >> 16);
    }

    /* Pulses (and gaps) must outlast both dead bands, or not exist at all. */
    if ((high > 0UL) && (high < period))
    {
        uint32_t least = 2UL * dead + 1UL;

        if (2UL * least > period)
        {
            high = (2UL * high >= period) ? period : 0UL;
        }
        else if (high < least)
        {
            high = (high >= dead) ? least : 0UL;
        }
        else if (period - high < least)
        {
            high = (period - high >= dead) ? (period - least) : period;
        }
        else
        {
            /* as asked */
        }
    }

    TIM8.ccr = high;
    TIM8.bdtr = (bdtr & ~TIM_BDTR_DTG_MASK) | code | TIM_BDTR_MOE;
    ccer = TIM8.ccer;
    if (high == 0UL)
    {
        ccer &= ~TIM_CCER_CC1E;     /* low side stays driven */
    }
    else
    {
        ccer |= TIM_CCER_CC1E;
    }
    TIM8.ccer = ccer | TIM_CCER_CC1NE;
    TIM8.egr = TIM_EGR_UG;

    return (int)code;
}
