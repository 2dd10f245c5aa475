#include <stdint.h>
#include <stdbool.h>

// Annuity loans at the branch terminal. Amounts in cents, months counted from 1.

struct loan {
    int64_t  instalment;    // out
    int64_t  last;          // out: what is due in the last month, balloon apart
    int64_t  interest;      // out
    uint16_t half_month;    // out: first month that leaves half of the principal or less
    uint16_t balloon_pm;    // in: permille of the principal due behind the last instalment
    uint8_t  grace;         // in: months before the first instalment
    uint8_t  holiday[3];    // in: months without one, 0 for none
};

enum { MAX_MONTHS = 120, MAX_RUNS = 5 };

static bool pays(const struct loan *x, unsigned month, unsigned months) {
    if (month == months)
        return true;        // no holiday from the end
    if (month <= x->grace)
        return false;
    for (int i = 0; i < 3; i++)
        if (x->holiday[i] == month)
            return false;
    return true;
}

static double power(double b, unsigned n) {
    double r = 1.0;
    for (; n; n >>= 1) {
        if (n & 1)
            r *= b;
        b *= b;
    }
    return r;
}

int loan_schedule_solve(double principal, double rate_pct, unsigned months, struct loan *out) {
    // written so that NaN fails, too
    if (!(principal >= 0.0 && principal <= 1e7) || !(rate_pct >= 0.0 && rate_pct <= 60.0))
        return -1;
    if (months == 0 || months > MAX_MONTHS || out->grace >= months || out->balloon_pm > 900)
        return -1;

    const int64_t cents   = (int64_t)(principal * 100.0 + 0.5);
    const int64_t balloon = cents * out->balloon_pm / 1000;
    const double  r       = rate_pct < 1e-9 ? 0.0 : rate_pct / 1200.0;

    unsigned paying = 0;
    for (unsigned m = 1; m <= months; m++)
        paying += pays(out, m, months);

    double a;
    if (r > 0.0) {
        const double q = power(1.0 + r, paying);
        a = ((double)cents * power(1.0 + r, out->grace) * q - (double)balloon) * r / (q - 1.0);
    } else {
        a = (double)(cents - balloon) / paying;
    }
    int64_t inst = (int64_t)a;
    if ((double)inst < a)
        inst++;

    int64_t last, interest;
    unsigned half;
    int run = 0;
    for (;;) {
        int64_t bal = cents;
        last = interest = 0;
        half = 0;
        for (unsigned m = 1; m <= months; m++) {
            const int64_t due = (int64_t)((double)bal * r + 0.5);
            bal += due;
            interest += due;

            int64_t pay = pays(out, m, months) ? inst : 0;
            if (m == months || pay > bal - balloon)
                pay = bal - balloon;
            bal -= pay;
            last = pay;
            if (half == 0 && bal <= cents / 2)
                half = m;
        }
        if (++run == MAX_RUNS || last <= inst)
            break;
        inst++;
    }

    out->instalment = inst;
    out->last       = last;
    out->interest   = interest;
    out->half_month = (uint16_t)half;
    return run;
}
