/*
 * tz_offset.c
 *
 * Local offset under a pair of yearly switch rules, as stored in the clock's EEPROM.
 */
#include <stdint.h>
#include <stdbool.h>

#define DAY_SECS            86400
#define UTC_MAX             0x1FFFFFFFFLL

typedef enum { SW_WALL = 0, SW_STANDARD = 1, SW_UTC = 2 } SwitchMode;

struct tzrule
{
    int32_t std_off;            /* seconds east of Greenwich */
    int32_t delta;              /* added in summer */
    struct tzswitch
    {
        uint32_t month : 4;     /* 1..12 */
        uint32_t week  : 3;     /* 1..4, 5: last */
        uint32_t wday  : 3;     /* 0 is Sunday */
        uint32_t mode  : 2;     /* what time_s is measured in */
        int32_t  time_s;        /* from midnight, may leave that day */
    } start, end;
};

struct tzinfo_out
{
    int64_t since;              /* seconds since the last switch, -1: no switches */
    int64_t until;              /* seconds to the next */
    bool    is_dst;
    bool    repeated;           /* the same wall clock time occurs twice */
};

static int64_t DaysFromCivil(int32_t y, int32_t m, int32_t d)
{
    int32_t doy;

    if (m <= 2)
        y--;
    doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + doy - 719468;
}

/* UTC of a switch; before is the offset in force until then */
static int64_t SwitchInstant(const struct tzswitch *s, int32_t year, int32_t std, int32_t before)
{
    const int32_t month = (int32_t)s->month;
    int64_t first = DaysFromCivil(year, month, 1);
    int64_t next  = month == 12 ? DaysFromCivil(year + 1, 1, 1) : DaysFromCivil(year, month + 1, 1);
    int64_t day, at;

    /* 1 January 1970 was a Thursday */
    day = first + (s->wday + 7 - (first + 4) % 7) % 7 + 7 * ((int64_t)s->week - 1);
    if (day >= next)
        day -= 7;

    at = day * DAY_SECS + s->time_s;
    switch (s->mode) {
    case SW_WALL:
        return at - before;
    case SW_STANDARD:
        return at - std;
    default:
        return at;
    }
}

static bool RuleUsable(const struct tzswitch *s)
{
    return s->month >= 1 && s->month <= 12 && s->week >= 1 && s->week <= 5 && s->wday <= 6;
}

int32_t dst_local_offset(const struct tzrule *r, int64_t utc, struct tzinfo_out *o)
{
    int64_t last = INT64_MIN, next = INT64_MAX;
    int32_t year;

    o->since = -1;
    o->until = -1;
    o->is_dst = false;
    o->repeated = false;

    if (utc < 0 || utc > UTC_MAX || !RuleUsable(&r->start) || !RuleUsable(&r->end))
        return r->std_off;
    if (r->start.month == r->end.month && r->start.week == r->end.week)
        return r->std_off;

    /* the zone's own year: right or one too low, then corrected */
    {
        int64_t day = (utc + r->std_off + DAY_SECS) / DAY_SECS - 1;

        year = 1970 + (int32_t)(day / 366);
        if (DaysFromCivil(year + 1, 1, 1) <= day)
            year++;
    }

    for (int32_t y = year - 1; y <= year + 1; y++) {
        for (int k = 0; k < 2; k++) {
            int64_t at = k == 0 ? SwitchInstant(&r->start, y, r->std_off, r->std_off)
                                : SwitchInstant(&r->end, y, r->std_off, r->std_off + r->delta);
            if (at > utc) {
                if (at < next)
                    next = at;
            } else if (at > last) {
                last = at;
                o->is_dst = k == 0;
            }
        }
    }

    o->since = utc - last;
    o->until = next - utc;
    o->repeated = o->is_dst ? o->until <= r->delta : o->since < r->delta;
    return o->is_dst ? r->std_off + r->delta : r->std_off;
}
