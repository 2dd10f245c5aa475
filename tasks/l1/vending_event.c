#include <stdint.h>
#include <stdbool.h>

/*
 * Coin mechanism and selection logic of the snack machine. All money is in cents.
 */

#define COIN_TYPES    6
#define COLUMNS       12
#define CREDIT_LIMIT  1000
#define TUBE_FULL     50
#define NO_SELECTION  0xFF

enum vend_event_id {
    EV_COIN,        /* arg: coin type, already accepted by the validator */
    EV_SELECT,      /* arg: column */
    EV_CANCEL,      /* take back the selection, keep the credit */
    EV_DOOR,        /* arg: 1 open, 0 closed */
    EV_REFUND,      /* take back the money */
    EV_TUBE         /* arg: coin type, plus 8 when the tube was emptied */
};

enum vend_refusal {
    REF_EVENT = -1, REF_COIN = -2, REF_LIMIT = -3, REF_COLUMN = -4, REF_SOLD_OUT = -5,
    REF_CREDIT = -6, REF_CHANGE = -7, REF_DOOR = -8, REF_DISPENSE = -9
};

struct vend_column {
    uint8_t  product;
    uint8_t  stock;
    uint16_t price;
};

struct vend {
    uint16_t credit;
    uint8_t  tube[COIN_TYPES];
    struct vend_column col[COLUMNS];
    uint8_t  discount;          /* percent, happy hour */
    uint8_t  selection;
    bool     door_open;
    uint16_t failures;
    uint32_t takings;
};

extern int vend_dispense(unsigned col);
extern void vend_pay_coin(unsigned type, unsigned count);
extern void vend_show(const char *text, unsigned cents);

static const uint8_t coin_value[COIN_TYPES] = { 5, 10, 20, 50, 100, 200 };

/* Price after discount, rounded to the nearest five cents (halves go up). */
static unsigned price_of(const struct vend *v, unsigned column)
{
    unsigned percent = v->discount > 90 ? 90 : v->discount;
    unsigned cents = v->col[column].price * (100 - percent);

    return (cents + 250) / 500 * 5;
}

/*
 * Work out the coins for an amount. Always taking the largest coin fails for
 * e.g. 60 from {50, 20, 20, 20}; so when something is left over we try once
 * more with one coin less of the largest type used.
 */
static bool plan_change(const struct vend *v, unsigned amount, uint8_t use[COIN_TYPES])
{
    int largest = -1;

    for (int attempt = 0; attempt < 2; attempt++) {
        unsigned left = amount;
        int held_back = largest;

        for (int i = COIN_TYPES - 1; i >= 0; i--) {
            unsigned want = left / coin_value[i];

            if (i == held_back)
                want = use[i] - 1u;
            if (want > v->tube[i])
                want = v->tube[i];
            use[i] = (uint8_t)want;
            left -= want * coin_value[i];
            if (want > 0 && largest < 0)
                largest = i;
        }
        if (left == 0)
            return true;
        if (largest < 0)
            return false;
    }
    return false;
}

static void pay(struct vend *v, const uint8_t use[COIN_TYPES])
{
    for (unsigned i = 0; i < COIN_TYPES; i++) {
        if (use[i] == 0)
            continue;
        v->tube[i] -= use[i];
        v->credit -= (uint16_t)(use[i] * coin_value[i]);
        vend_pay_coin(i, use[i]);
    }
}

static int refuse(const struct vend *v, enum vend_refusal why, const char *text)
{
    vend_show(text, v->credit);
    return why;
}

static int sell(struct vend *v)
{
    uint8_t change[COIN_TYPES];
    unsigned chosen = v->selection, price = price_of(v, chosen), other;

    if (price > v->credit) {
        vend_show("PRICE", price);
        return REF_CREDIT;
    }
    v->selection = NO_SELECTION;
    if (!plan_change(v, v->credit - price, change))
        return refuse(v, REF_CHANGE, "EXACT CHANGE ONLY");

    if (!vend_dispense(chosen)) {
        /* the spiral is stuck; perhaps the same thing lies somewhere else */
        v->failures++;
        for (other = 0; other < COLUMNS; other++)
            if (other != chosen && v->col[other].stock > 0 && v->col[other].product == v->col[chosen].product)
                break;
        if (other == COLUMNS || !vend_dispense(other)) {
            if (plan_change(v, v->credit, change))
                pay(v, change);
            return refuse(v, REF_DISPENSE, "SORRY");
        }
        chosen = other;
    }
    v->col[chosen].stock--;
    v->takings += price;
    v->credit -= (uint16_t)price;
    pay(v, change);
    vend_show("THANK YOU", v->credit);
    return v->credit;
}

int vending_event(struct vend *v, unsigned ev, unsigned arg)
{
    uint8_t coins[COIN_TYPES];

    if (v->door_open && ev != EV_DOOR && ev != EV_TUBE)
        return refuse(v, REF_DOOR, "DOOR OPEN");

    switch (ev) {
    case EV_COIN:
        if (arg >= COIN_TYPES)
            return refuse(v, REF_COIN, "BAD COIN");
        if (v->credit + coin_value[arg] > CREDIT_LIMIT) {
            vend_pay_coin(arg, 1);          /* straight back */
            return refuse(v, REF_LIMIT, "CREDIT LIMIT");
        }
        v->credit += coin_value[arg];
        if (v->tube[arg] < TUBE_FULL)
            v->tube[arg]++;                 /* else it falls into the cash box */
        if (v->selection < COLUMNS && v->credit >= price_of(v, v->selection))
            return sell(v);
        vend_show("CREDIT", v->credit);
        break;

    case EV_SELECT:
        if (arg >= COLUMNS)
            return refuse(v, REF_COLUMN, "NO SUCH COLUMN");
        if (v->col[arg].stock == 0)
            return refuse(v, REF_SOLD_OUT, "SOLD OUT");
        v->selection = (uint8_t)arg;
        return sell(v);

    case EV_CANCEL:
        v->selection = NO_SELECTION;
        vend_show("CREDIT", v->credit);
        break;

    case EV_DOOR:
        v->door_open = arg != 0;
        v->selection = NO_SELECTION;
        if (!v->door_open)
            v->failures = 0;
        break;

    case EV_REFUND:
        v->selection = NO_SELECTION;
        if (!plan_change(v, v->credit, coins))
            return refuse(v, REF_CHANGE, "CALL SERVICE");
        pay(v, coins);
        vend_show("TAKE COINS", v->credit);
        break;

    case EV_TUBE:
        if ((arg & 7) >= COIN_TYPES)
            return refuse(v, REF_COIN, "BAD TUBE");
        if (arg & 8)
            v->tube[arg & 7] = 0;
        else if (v->tube[arg & 7] <= TUBE_FULL - 10)
            v->tube[arg & 7] += 10;
        else
            v->tube[arg & 7] = TUBE_FULL;
        break;

    default:
        return REF_EVENT;
    }
    return v->credit;
}
