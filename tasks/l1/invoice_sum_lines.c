#include <stdint.h>
#include <stdbool.h>

#define CLASSES       4
#define SUM_TAX_ADDED 1u    /* prices are net */
#define SUM_CASH      2u

struct invline {
    int32_t  qty;           /* 1/1000 */
    int32_t  price;         /* 1/100 cent */
    uint16_t discount;      /* permille */
    uint8_t  cls;
};

struct invsum {
    int32_t doc_discount;   /* in: cents off the whole invoice */
    int32_t gross[CLASSES];
    int32_t tax[CLASSES];
    int32_t total;
    int32_t cash_diff;
};

int  till_print_at(unsigned column, const char *fmt, ...);
void till_beep(void);

static const struct {
    int32_t permille;
    const char *name;
} tax_class[CLASSES] = {
    { 0, "exempt" }, { 70, "food" }, { 190, "standard" }, { 107, "farm" },
};

/* num / den, ties to even; den > 0 */
static int64_t div_even(int64_t num, int64_t den)
{
    int64_t mag = num < 0 ? -num : num;
    int64_t q = mag / den, twice = 2 * (mag % den);

    if (twice > den || (twice == den && (q & 1)))
        q++;
    return num < 0 ? -q : q;
}

int invoice_sum_lines(const struct invline *l, unsigned n, struct invsum *s, unsigned flags)
{
    int64_t cls[CLASSES] = { 0 }, rest[CLASSES] = { 0 };
    int64_t sum = 0, off, left;
    unsigned used = 0, column = 0;
    int k, step;

    for (unsigned i = 0; i < n; i++) {
        if (l[i].discount > 1000 || l[i].cls >= CLASSES)
            return -1;
        cls[l[i].cls] += div_even((int64_t)l[i].qty * l[i].price * (1000 - l[i].discount), 100000000);
        used |= 1u << l[i].cls;
    }
    for (k = 0; k < CLASSES; k++) {
        if (cls[k] < 0) {
            till_beep();    /* more came back than went out */
            return -2;
        }
        sum += cls[k];
    }

    /* the discount of the document: shares rounded down, then a cent each where most was cut off */
    off = s->doc_discount;
    if (off > sum)
        off = sum;
    if (off > 0) {
        left = off;
        for (k = 0; k < CLASSES; k++) {
            int64_t share = off * cls[k] / sum;

            rest[k] = off * cls[k] % sum;
            cls[k] -= share;
            left -= share;
        }
        for (; left > 0; left--) {
            int at = 0;

            for (k = 1; k < CLASSES; k++)
                if (rest[k] > rest[at])
                    at = k;
            cls[at]--;
            rest[at] = 0;
        }
    }

    s->total = 0;
    for (k = 0; k < CLASSES; k++) {
        int64_t tax;
        const int32_t pm = tax_class[k].permille;

        if (flags & SUM_TAX_ADDED) {
            tax = div_even(cls[k] * pm, 1000);
            cls[k] += tax;
        } else {
            tax = div_even(cls[k] * pm, 1000 + pm);
        }
        s->gross[k] = (int32_t)cls[k];
        s->tax[k] = (int32_t)tax;
        s->total += s->gross[k];

        if (!(used >> k & 1))
            continue;
        step = till_print_at(column, "%s %d.%d%% %d (%d)", tax_class[k].name, pm / 10, pm % 10, s->gross[k], s->tax[k]);
        if (step < 0)
            step = 0;
        if (step > 31)
            step = 31;
        column += (unsigned)step;
    }

    s->cash_diff = 0;
    if (flags & SUM_CASH) {
        int32_t over = s->total % 5;

        if (over)
            s->cash_diff = over < 3 ? -over : 5 - over;
        s->total += s->cash_diff;
        if (s->cash_diff)
            till_print_at(column, "rounded %d", s->cash_diff);
    }
    return s->total;
}
