#include <stdint.h>
#include <stdbool.h>

/* Bench scale: 24-bit bridge converter on two GPIOs. The line goes low when a
 * conversion is ready; 25, 26 or 27 clocks in all choose input and gain of the
 * conversion that follows. */

extern int      lc_data_pin(void);
extern void     lc_clock_pin(int level);
extern uint32_t lc_millis(void);

#define POLLS_MAX   50
#define WAIT_MS     120u
#define CODE_MAX    0x7FFFFFu
#define CODE_MIN    0x800000u

struct loadcell {
    int32_t  hist[4];
    uint8_t  filled;        // valid entries of hist
    uint8_t  next;
    uint8_t  gain;          // extra clocks, 1..3
    uint8_t  status;
    uint16_t saturated;
    uint16_t timeouts;
    int32_t  spread;
    int32_t  tare;
    int32_t  num, den;      // grams per count
};

static void pulse(void)
{
    lc_clock_pin(1);
    lc_clock_pin(0);
}

static int32_t filtered(const struct loadcell *lc)
{
    int32_t sum = 0, worst_dist;
    int worst = -1;

    for (int i = 0; i < lc->filled; i++)
        sum += lc->hist[i];
    if (lc->filled < 4)
        return sum / lc->filled;

    worst_dist = lc->spread;
    for (int i = 0; i < 4; i++) {
        int32_t d = lc->hist[i] - (sum - lc->hist[i]) / 3;
        if (d < 0)
            d = -d;
        if (d > worst_dist) {
            worst_dist = d;
            worst = i;
        }
    }
    return worst < 0 ? sum / 4 : (sum - lc->hist[worst]) / 3;
}

bool loadcell_read24(struct loadcell *lc, int32_t *grams)
{
    uint32_t t0 = lc_millis();
    uint32_t code = 0;
    int polls = 0;

    while (lc_data_pin() != 0) {
        if (++polls == POLLS_MAX || lc_millis() - t0 > WAIT_MS) {
            lc->timeouts++;
            return false;
        }
    }

    for (int i = 0; i < 24; i++) {
        lc_clock_pin(1);
        code = code << 1 | (lc_data_pin() != 0);
        lc_clock_pin(0);
    }
    pulse();
    if (lc->gain >= 2)
        pulse();
    if (lc->gain == 3)
        pulse();

    if (code == CODE_MAX || code == CODE_MIN) {
        if (lc->saturated < UINT16_MAX)
            lc->saturated++;
        return false;
    }

    // sign from bit 23
    lc->hist[lc->next & 3] = (int32_t)(code ^ 0x800000u) - 0x800000;
    lc->next = (uint8_t)((lc->next + 1) & 3);
    if (lc->filled < 4)
        lc->filled++;
    else
        lc->filled = 4;

    int64_t p = (int64_t)(filtered(lc) - lc->tare) * lc->num;
    int32_t den = lc->den > 0 ? lc->den : 1;
    p = (p < 0 ? p - den / 2 : p + den / 2) / den;
    if (p > INT32_MAX)
        p = INT32_MAX;
    if (p < INT32_MIN)
        p = INT32_MIN;
    *grams = (int32_t)p;
    return true;
}
