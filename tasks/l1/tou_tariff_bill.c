#include <stdint.h>
#include <stdbool.h>

/* Time-of-use billing of half-hour readings.  Money is in 1e-6 currency units until the very end. */

#define SLOTS_PER_DAY   48
#define MAX_SWITCH      6
#define N_RATES         4
#define READ_MISSING    0x7FFFu
#define READ_EXPORT     0x8000u
#define MICRO_PER_CENT  10000

typedef struct {
    uint8_t start;              /* slot from which ... */
    uint8_t rate;               /* ... this rate holds */
} SwitchPoint;

typedef struct {
    uint8_t     count;          /* 1..6, ascending, the first at slot 0 */
    SwitchPoint at[MAX_SWITCH];
} DayPlan;

struct tariff {
    DayPlan  plan[2][2];        /* [season][weekend] */
    uint32_t price[N_RATES][3]; /* per Wh, by tier */
    uint32_t tier[2];           /* Wh per day up to which tiers 0 and 1 reach, ascending */
    uint32_t feedIn;            /* per Wh */
    uint32_t standing;          /* per day begun */
    uint16_t defaultWh;
    uint8_t  weekday;           /* of the first slot; 0 is Monday, 5 and 6 the weekend */
    uint8_t  seasonDay;         /* days until the second season starts */
};

struct bill {
    uint32_t wh[N_RATES];
    uint32_t exported;
    uint16_t estimated;
    uint16_t days;
};

static bool isImport(uint16_t r)
{
    return r < READ_MISSING;
}

/* Mean of what stands before and behind a gap, or what there is of it. */
static uint32_t estimate(const uint16_t *wh, unsigned n, unsigned i, uint32_t fallback)
{
    unsigned lo = i, hi = i;
    bool before = false, behind = false;

    while (lo > 0 && wh[lo - 1] == READ_MISSING)
        lo--;
    if (lo > 0 && isImport(wh[lo - 1]))
        before = true;
    while (hi + 1 < n && wh[hi + 1] == READ_MISSING)
        hi++;
    if (hi + 1 < n && isImport(wh[hi + 1]))
        behind = true;

    if (before && behind)
        return ((uint32_t)wh[lo - 1] + wh[hi + 1] + 1) / 2;
    if (before)
        return wh[lo - 1];
    return behind ? wh[hi + 1] : fallback;
}

int64_t tou_tariff_bill(const struct tariff *t, const uint16_t *wh, unsigned nslots, unsigned first_slot, struct bill *out)
{
    int64_t  sum = 0, dayCost = 0, dayCredit = 0;
    uint32_t dayWh = 0;
    unsigned slot = first_slot % SLOTS_PER_DAY, day = 0, weekday = t->weekday % 7u;
    unsigned cursor = 0;
    const DayPlan *plan;

    for (int r = 0; r < N_RATES; r++)
        out->wh[r] = 0;
    out->exported = 0;
    out->estimated = 0;
    out->days = 0;

    plan = &t->plan[t->seasonDay == 0][weekday >= 5];
    for (unsigned i = 0; i < nslots; i++) {
        uint32_t e = wh[i];

        if (i == 0 || slot == 0) {
            sum += t->standing;
            out->days++;
        }
        while (cursor + 1 < plan->count && plan->at[cursor + 1].start <= slot)
            cursor++;

        if (e & READ_EXPORT) {
            e &= ~READ_EXPORT;
            out->exported += e;
            dayCredit += (int64_t)e * t->feedIn;
        } else {
            const unsigned rate = plan->at[cursor].rate % N_RATES;

            if (e == READ_MISSING) {
                e = estimate(wh, nslots, i, t->defaultWh);
                out->estimated++;
            }
            out->wh[rate] += e;
            for (int k = 0; k < 3; k++) {
                uint32_t part = e;

                if (k < 2) {
                    uint32_t room = t->tier[k] > dayWh ? t->tier[k] - dayWh : 0;
                    if (part > room)
                        part = room;
                }
                dayCost += (int64_t)part * t->price[rate][k];
                dayWh += part;
                e -= part;
            }
        }

        if (++slot == SLOTS_PER_DAY || i + 1 == nslots) {
            /* the feed-in of a day can make it free, not more */
            if (dayCost > dayCredit)
                sum += dayCost - dayCredit;
            dayCost = dayCredit = 0;
            dayWh = 0;
            slot = cursor = 0;
            day++;
            weekday = weekday == 6 ? 0 : weekday + 1;
            plan = &t->plan[day >= t->seasonDay][weekday >= 5];
        }
    }

    return (sum + MICRO_PER_CENT / 2) / MICRO_PER_CENT;
}
