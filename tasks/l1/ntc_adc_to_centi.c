#include <stdint.h>

/* 10k B3950 against 10k to the reference, 12 bit */

#define ADC_MASK        0x0FFFu
#define CODE_OPEN       4000
#define CODE_SHORT      40
#define DEBOUNCE        5u

#define FLT_OPEN        0x01u
#define FLT_SHORT       0x02u
#define FLT_BITS        0x0Fu

typedef int16_t  S16;
typedef uint16_t U16;
typedef int32_t  S32;
typedef uint8_t  U8;

struct ntc_cal {
    S16 gain_q14;       /* 16384 = 1.0 */
    S16 offset_centi;
    S16 pullup;         /* deviation of the pull-up, permille */
};

enum { KNOTS = 18 };

static const U16 aCode[KNOTS] = {
    3977, 3933, 3877, 3803, 3713, 3603, 3465, 3313, 3134,
    2939, 2726, 2502, 2275, 2048, 1828, 1618,  816,  257
};

static const S16 aCenti[KNOTS] = {
    -4000, -3500, -3000, -2500, -2000, -1500, -1000, -500, 0,
      500,  1000,  1500,  2000,  2500,  3000,  3500, 6000, 10000
};

static S32 DivRound(S32 num, S32 den)   /* den > 0, half away from zero */
{
    return (num < 0) ? -((den / 2 - num) / den) : (num + den / 2) / den;
}

int16_t ntc_adc_to_centi(uint16_t raw, const struct ntc_cal *cal, uint8_t *fault)
{
    S32 code = (S32)(raw & ADC_MASK);
    S32 t;
    U8 count = *fault >> 4;
    U8 latch = *fault & FLT_BITS;

    code += DivRound(code * cal->pullup, 1000);

    if (code > CODE_OPEN || code < CODE_SHORT) {
        if (count < DEBOUNCE)
            count++;
        if (count >= DEBOUNCE)
            latch |= (code > CODE_OPEN) ? FLT_OPEN : FLT_SHORT;
    } else if (count > 0) {
        count--;
    }
    *fault = (U8)(count << 4 | latch);

    if (latch & (FLT_OPEN | FLT_SHORT))
        return INT16_MIN;               /* service tool clears the latch */

    if (code >= aCode[0]) {
        t = aCenti[0];
    } else if (code <= aCode[KNOTS - 1]) {
        t = aCenti[KNOTS - 1];
    } else {
        int lo = 0, hi = KNOTS - 1;
        while (hi - lo > 1) {
            int mid = (lo + hi) / 2;
            if (code > aCode[mid])
                hi = mid;
            else
                lo = mid;
        }
        t = aCenti[lo] + DivRound((aCenti[hi] - aCenti[lo]) * (aCode[lo] - code), aCode[lo] - aCode[hi]);
    }

    t = DivRound(t * cal->gain_q14, 16384) + cal->offset_centi;
    if (t > INT16_MAX)
        t = INT16_MAX;
    else if (t <= INT16_MIN)
        t = INT16_MIN + 1;              /* INT16_MIN is reserved */
    return (S16)t;
}
