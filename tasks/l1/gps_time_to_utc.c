/* navigation/gpstime.c - broadcast week and time of week to a calendar date */

#include <stdbool.h>
#include <stdint.h>

#define GPS_EPOCH_DAY	3657u		/* 6 January 1980, in days since 1970 */
#define WEEK_MS		604800000u
#define DAY_MS		86400000u
#define WEEKS_BACK	26u		/* before the firmware's build */
#define PIVOT_MAX	46000u

struct utc_ms {
	uint16_t year;
	uint8_t mon, day;
	uint8_t hour, min, sec;
	uint16_t ms;
};

/* announced in the subframe 4 of the almanac, kept by almanac.c */
extern struct {
	uint16_t day;			/* first day with the new count */
	int8_t step;
	uint8_t valid;
} leap_next;

static const struct {
	uint16_t day;
	uint8_t count;
} leaps[] = {
	{  4199,  1 }, {  4564,  2 }, {  4929,  3 }, {  5660,  4 }, {  6574,  5 }, {  7305,  6 },
	{  7670,  7 }, {  8217,  8 }, {  8582,  9 }, {  8947, 10 }, {  9496, 11 }, { 10043, 12 },
	{ 10592, 13 }, { 13149, 14 }, { 14245, 15 }, { 15522, 16 }, { 16617, 17 }, { 17167, 18 },
};

#define NLEAPS (sizeof(leaps) / sizeof(leaps[0]))

/* gps: seconds since 1970 as GPS counts them. True inside an inserted second. */
static bool leap_seconds(int64_t gps, int32_t *count)
{
	uint32_t i;
	int64_t at;

	*count = 0;
	for (i = 0; i < NLEAPS; i++) {
		at = (int64_t)leaps[i].day * 86400 + leaps[i].count;
		if (gps < at - 1)
			return false;
		*count = leaps[i].count;
		if (gps == at - 1)
			return true;
	}

	if (!leap_next.valid || leap_next.day <= leaps[NLEAPS - 1].day)
		return false;
	at = (int64_t)leap_next.day * 86400 + *count;
	switch (leap_next.step) {
	case 1:
		if (gps >= at) {
			++*count;
			return gps == at;
		}
		break;
	case -1:
		if (gps >= at - 1)
			--*count;
		break;
	default:
		break;			/* garbled */
	}
	return false;
}

bool gps_time_to_utc(uint16_t week10, uint32_t tow_ms, uint32_t pivot_day, struct utc_ms *out)
{
	uint32_t first, week, day, secs, era_day, c, y, mp;
	int32_t leap;
	int64_t gps;
	bool inserted;

	if (pivot_day < GPS_EPOCH_DAY + 7u * WEEKS_BACK || pivot_day > PIVOT_MAX)
		return false;

	first = (pivot_day - GPS_EPOCH_DAY) / 7u - WEEKS_BACK;
	week = first + ((week10 - first) & 1023u);

	if (tow_ms >= WEEK_MS) {
		tow_ms -= WEEK_MS;
		week++;
		if (tow_ms >= WEEK_MS)
			return false;
	}

	gps = (int64_t)(GPS_EPOCH_DAY + 7u * week) * 86400 + tow_ms / 1000u;
	inserted = leap_seconds(gps, &leap);
	gps -= leap;

	day = (uint32_t)(gps / 86400);
	secs = (uint32_t)(gps % 86400);

	/* 1 March 1968 starts a cycle of four years, and 2100 is near */
	era_day = day + 671;
	if (day >= 47541)		/* 1 March 2100 */
		era_day++;
	c = era_day / 1461u;
	era_day %= 1461u;
	y = era_day == 1460u ? 3u : era_day / 365u;
	era_day -= 365u * y;
	mp = (5u * era_day + 2u) / 153u;

	out->day = (uint8_t)(era_day - (153u * mp + 2u) / 5u + 1u);
	out->mon = (uint8_t)(mp < 10u ? mp + 3u : mp - 9u);
	out->year = (uint16_t)(1968u + 4u * c + y + (mp >= 10u));
	out->hour = (uint8_t)(secs / 3600u);
	out->min = (uint8_t)(secs / 60u % 60u);
	out->sec = (uint8_t)(inserted ? 60u : secs % 60u);
	out->ms = (uint16_t)(tow_ms % 1000u);
	return true;
}
