#include <stdint.h>
#include <stdbool.h>

extern uint8_t rtc_reg_get(uint8_t reg);
extern void    rtc_reg_put(uint8_t reg, uint8_t val);

/* key register: 0xCA, 0x53 opens the alarm bank, anything else shuts it */
extern volatile uint8_t RTC_LOCK;

enum
{
    REG_SEC  = 0x00,
    REG_MIN  = 0x01,
    REG_HOUR = 0x02,
    REG_WDAY = 0x03,        /* 1 = Monday ... 7 */
    REG_AL_SEC = 0x08,
    REG_AL_MIN,
    REG_AL_HOUR,
    REG_AL_WDAY
};

#define HOUR_12H    0x40u
#define HOUR_PM     0x20u
#define AL_IGNORE   0x80u
#define DAY_S       86400ul
#define WEEK_S      (7ul * DAY_S)

/* -1 unless b is two decimal digits between lo and hi */
static int unbcd(uint8_t b, int lo, int hi)
{
    int v;

    if ((b & 0x0Fu) > 9u)
        return -1;
    v = (b >> 4) * 10 + (b & 0x0F);
    return v < lo || v > hi ? -1 : v;
}

static uint8_t bcd(uint32_t v)
{
    return (uint8_t)((v / 10u) << 4 | v % 10u);
}

int rtc_alarm_program(uint32_t secs_ahead, unsigned flags)
{
    uint8_t rs, rm, rh, rd, again;
    int s, m, h, d;
    uint32_t t, hour, ah, am, as, ad, wait;
    uint8_t hreg, ignore_day = 0, ignore_hour = 0;

    if (secs_ahead > WEEK_S)
        return -2;
    if (secs_ahead == 0)
        secs_ahead = 1;     /* this very second has been compared already */

    rs = rtc_reg_get(REG_SEC);
    rm = rtc_reg_get(REG_MIN);
    rh = rtc_reg_get(REG_HOUR);
    rd = rtc_reg_get(REG_WDAY);
    again = rtc_reg_get(REG_SEC);
    if (again != rs)
    {
        /* ticked over while we read: minutes may be stale. A second tick cannot come this soon. */
        rs = again;
        rm = rtc_reg_get(REG_MIN);
        rh = rtc_reg_get(REG_HOUR);
        rd = rtc_reg_get(REG_WDAY);
    }

    s = unbcd(rs & 0x7Fu, 0, 59);       /* bit 7: oscillator stopped once */
    m = unbcd(rm & 0x7Fu, 0, 59);
    d = unbcd(rd & 0x0Fu, 1, 7);
    if (rh & HOUR_12H)
    {
        h = unbcd(rh & 0x1Fu, 1, 12);
        if (h == 12)
            h = 0;
        if (h >= 0 && (rh & HOUR_PM))
            h += 12;
    }
    else
    {
        h = unbcd(rh & 0x3Fu, 0, 23);
    }
    if (s < 0 || m < 0 || h < 0 || d < 0)
        return -1;

    t = ((uint32_t)(d - 1) * 24u + (uint32_t)h) * 3600u + (uint32_t)m * 60u + (uint32_t)s + secs_ahead;
    if (t >= WEEK_S)
        t -= WEEK_S;

    as = t % 60u;
    am = t / 60u % 60u;
    hour = t / 3600u % 24u;
    ad = t / DAY_S + 1u;

    switch (flags & 3u)
    {
    case 0:
        wait = secs_ahead;
        break;
    case 1:
        ignore_day = AL_IGNORE;
        wait = secs_ahead % DAY_S ? secs_ahead % DAY_S : DAY_S;
        break;
    default:
        ignore_day = AL_IGNORE;
        ignore_hour = AL_IGNORE;
        wait = secs_ahead % 3600u;
        if (wait == 0)
            wait = 3600u;
        break;
    }

    if (rh & HOUR_12H)
    {
        ah = hour % 12u;
        hreg = (uint8_t)(HOUR_12H | bcd(ah == 0 ? 12u : ah));
        if (hour >= 12u)
            hreg |= HOUR_PM;
    }
    else
    {
        hreg = bcd(hour);
    }

    RTC_LOCK = 0xCA;
    RTC_LOCK = 0x53;
    rtc_reg_put(REG_AL_SEC, bcd(as));
    rtc_reg_put(REG_AL_MIN, bcd(am));
    rtc_reg_put(REG_AL_HOUR, hreg | ignore_hour);
    rtc_reg_put(REG_AL_WDAY, (uint8_t)ad | ignore_day);
    RTC_LOCK = 0xFF;

    return (int)wait;
}
