/*
 * Time stamps of the archive server are seconds since 1970 and reach far out in
 * both directions, so everything here is proleptic Gregorian.
 */
#include <stdint.h>
#include <stdbool.h>

#define DAY_S		86400
#define OFFSET_MAX	50400		/* 14 h */
#define FIRST_S		(-377705116800LL)	/* -9999-01-01 00:00:00 */
#define LAST_S		253402300799LL		/* 9999-12-31 23:59:59 */
#define DAYS_400Y	146097
#define DAYS_TO_1970	719468		/* from 1 March of year 0 */

/* in */
#define CF_SLEW		0x00000001u
/* out */
#define CF_CLAMPED	0x00000010u
#define CF_LEAP_YEAR	0x00000020u
#define CF_MONTH_END	0x00000040u
#define CF_SLEWED	0x00000080u
#define CF_OUT		0x000000F0u

struct civil {
	int32_t year;
	uint8_t mon, mday, hour, min, sec, wday;
	uint16_t yday;
};

/*
 * The broadcaster slows its clocks by half a second per hour for twelve hours
 * before these new year's days and makes up for it in the twelve after.
 */
static const int32_t slew_day[] = { 1096, 10592, 13149, 14245, 17167 };

static int64_t slew(int64_t secs)
{
	const int64_t half = DAY_S / 2;
	unsigned i;

	for (i = 0; i < sizeof slew_day / sizeof slew_day[0]; i++) {
		int64_t away = secs - (int64_t)slew_day[i] * DAY_S;

		if (away < 0)
			away = -away;
		if (away < half)
			return (half - away + 3600) / 7200;
	}
	return 0;
}

static bool is_leap(int32_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

struct civil civil_from_epoch(int64_t secs, int32_t offset_s, unsigned *flags)
{
	struct civil c;
	unsigned out = 0;
	int64_t days, era;
	int32_t in_day, doe, yoe, doy, mp, last;
	bool leap;

	if (offset_s > OFFSET_MAX)
		offset_s = OFFSET_MAX;
	else if (offset_s < -OFFSET_MAX)
		offset_s = -OFFSET_MAX;

	if (*flags & CF_SLEW) {
		int64_t behind = slew(secs < LAST_S ? secs < FIRST_S ? FIRST_S : secs : LAST_S);

		if (behind) {
			secs -= behind;
			out |= CF_SLEWED;
		}
	}

	/* compared before the sum, which may not fit */
	if (secs < FIRST_S - offset_s) {
		secs = FIRST_S;
		out |= CF_CLAMPED;
	} else if (secs > LAST_S - offset_s) {
		secs = LAST_S;
		out |= CF_CLAMPED;
	} else {
		secs += offset_s;
	}

	days = secs / DAY_S;
	in_day = (int32_t)(secs % DAY_S);
	if (in_day < 0) {
		in_day += DAY_S;
		days--;
	}
	c.hour = (uint8_t)(in_day / 3600);
	c.min = (uint8_t)(in_day / 60 % 60);
	c.sec = (uint8_t)(in_day % 60);

	/* 1970 began with a Thursday */
	c.wday = (uint8_t)(((days + 4) % 7 + 7) % 7);

	/* years from March on, so that the odd day is the last one */
	days += DAYS_TO_1970;
	era = (days >= 0 ? days : days - (DAYS_400Y - 1)) / DAYS_400Y;
	doe = (int32_t)(days - era * DAYS_400Y);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c.mday = (uint8_t)(doy - (153 * mp + 2) / 5 + 1);
	c.mon = (uint8_t)(mp < 10 ? mp + 3 : mp - 9);
	c.year = (int32_t)(yoe + era * 400) + (c.mon <= 2);

	leap = is_leap(c.year);
	if (c.mon <= 2)
		c.yday = (uint16_t)(doy - 306);
	else
		c.yday = (uint16_t)(doy + 59 + leap);

	switch (c.mon) {
	case 2:
		last = 28 + leap;
		break;
	case 4: case 6: case 9: case 11:
		last = 30;
		break;
	default:
		last = 31;
		break;
	}
	if (leap)
		out |= CF_LEAP_YEAR;
	if (c.mday == last)
		out |= CF_MONTH_END;
	*flags = (*flags & ~CF_OUT) | out;
	return c;
}
