#include <stdint.h>
#include <stdbool.h>

/* Schedules of the irrigation controller: one bit for every minute, hour, day... it may run at. */

struct cronspec
{
    uint64_t min;           // bits 0..59
    uint32_t hour;          // bits 0..23
    uint32_t mday;          // bits 1..31
    uint32_t month;         // bits 1..12
    uint8_t  wday;          // bits 0 (Sunday)..6
    int8_t   last_day;      // -1: last day of the month, -2: the one before, ...; else not used
    uint8_t  step_weeks;    // every so many weeks, counted from Monday 5 January 1970
};

static const uint64_t ALL_MINUTES = 0x0FFFFFFFFFFFFFFF;
static const uint32_t ALL_HOURS = 0x00FFFFFF, ALL_MDAYS = 0xFFFFFFFE, ALL_MONTHS = 0x1FFE;
static const uint8_t ALL_WDAYS = 0x7F;

#define SEARCH_DAYS 1826
#define TIME_MAX 253402300799 /* end of 9999 */

// lowest bit of set that is not below from, or -1
static int next_bit(uint64_t set, unsigned from)
{
    set >>= from;
    if (set == 0)
        return -1;
    for (unsigned half = 32; half != 0; half /= 2)
    {
        if ((set & (((uint64_t)1 << half) - 1)) == 0)
        {
            set >>= half;
            from += half;
        }
    }
    return (int)from;
}

static int month_days(int y, int m)
{
    if (m == 2)
        return 28 + ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
    return 30 + ((m + (m >> 3)) & 1);
}

static bool day_matches(const struct cronspec *c, int64_t day, int mday, int month_len)
{
    const bool by_mday = (c->mday & ALL_MDAYS) != ALL_MDAYS || c->last_day < 0;
    const bool by_wday = (c->wday & ALL_WDAYS) != ALL_WDAYS;
    const bool on_mday = (c->mday >> mday & 1) || (c->last_day < 0 && mday == month_len + 1 + c->last_day);
    const bool on_wday = c->wday >> ((day + 4) % 7) & 1;

    if (c->step_weeks > 1 && (day + 3) / 7 % c->step_weeks != 0)
        return false;
    // cron's old habit: two restrictions are alternatives, not conditions
    return by_mday && by_wday ? on_mday || on_wday : on_mday && on_wday;
}

int64_t cron_next_fire(const struct cronspec *c, int64_t after)
{
    const uint64_t minutes = c->min & ALL_MINUTES;
    const uint32_t hours = c->hour & ALL_HOURS;

    if (after < 0 || after > TIME_MAX || minutes == 0 || hours == 0 || (c->month & ALL_MONTHS) == 0)
        return -1;

    const int64_t start = after / 60 + 1;
    int64_t day = start / 1440;
    unsigned hour = (unsigned)(start / 60 % 24);
    unsigned minute = (unsigned)(start % 60);
    const int64_t limit = day + SEARCH_DAYS;

    int y = 1970, m = 1, d;
    {
        // 400 years have 146097 days; counting from 1 January 1600
        int64_t rest = day + 135140;
        y = 1600 + (int)(rest / 146097) * 400;
        rest %= 146097;
        while (rest >= 365 + (month_days(y, 2) == 29))
        {
            rest -= 365 + (month_days(y, 2) == 29);
            y++;
        }
        while (rest >= month_days(y, m))
            rest -= month_days(y, m++);
        d = (int)rest + 1;
    }

    while (day <= limit)
    {
        const int len = month_days(y, m);

        if (!(c->month >> m & 1))
        {
            day += len - d;     // the last of a month that does not count
            d = len;
        }
        else if (day_matches(c, day, d, len))
        {
            int h = next_bit(hours, hour);
            int mi = -1;

            if (h == (int)hour)
            {
                mi = next_bit(minutes, minute);
                if (mi < 0)
                    h = next_bit(hours, hour + 1);
            }
            if (h >= 0)
            {
                if (mi < 0)
                    mi = next_bit(minutes, 0);
                return ((day * 24 + h) * 60 + mi) * 60;
            }
        }

        day++;
        hour = minute = 0;
        if (++d > len)
        {
            d = 1;
            if (++m > 12)
            {
                m = 1;
                y++;
            }
        }
    }
    return -1;
}
