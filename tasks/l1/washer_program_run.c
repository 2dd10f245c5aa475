#include <stdbool.h>
#include <stdint.h>

struct washer;
typedef int (*step_fn)(struct washer *w, unsigned arg);

extern int wash_fill(struct washer *w, unsigned arg);
extern int wash_heat(struct washer *w, unsigned arg);
extern int wash_drum(struct washer *w, unsigned arg);
extern int wash_drain(struct washer *w, unsigned arg);

enum row_flags {
    RF_SAFE     = 0x01,     // may pause here, and the door may open
    RF_PREWASH  = 0x02,     // only with the prewash option
    RF_RINSE    = 0x04,     // end of a rinse, may go round again
    RF_SPIN     = 0x08      // argument is a speed
};

enum options { OPT_PREWASH = 0x01, OPT_RINSES = 0x06, OPT_NO_SPIN = 0x08 };

enum requests { REQ_PAUSE = 0x01, REQ_DOOR = 0x02 };

struct washer {
    uint8_t  row;
    uint8_t  options;
    uint8_t  requests;
    uint8_t  rinses;        // already done in this program
    uint8_t  hops;          // failure links taken since something worked
    bool     paused, unlocked;
    uint16_t spinLimit;     // rpm, from the front panel
    uint16_t elapsed;       // ticks in this row
    uint16_t minutes;       // shown on the display
    uint32_t total;
};

struct row {
    step_fn  step;
    uint16_t arg;
    uint16_t timeout;       // ticks of one second
    uint8_t  onDone, onFail;
    uint8_t  flags;
};

#define R_RINSE  6
#define R_ABORT  12
#define R_END    13
#define MAX_HOPS 20

static const struct row program[] = {
    /*  0 */ { wash_drain,   0,   60,  1, 12, RF_SAFE },
    /*  1 */ { wash_fill,    8,  180,  2, 12, RF_PREWASH },
    /*  2 */ { wash_drum,   45,  600,  3,  3, RF_PREWASH | RF_SAFE },
    /*  3 */ { wash_fill,   12,  240,  4, 11, 0 },
    /*  4 */ { wash_heat,   60, 1800,  5,  5, 0 },
    /*  5 */ { wash_drum,   50, 2400,  7,  7, RF_SAFE },
    /*  6 */ { wash_fill,   14,  240,  8, 11, 0 },
    /*  7 */ { wash_drain,   0,   90,  6,  7, 0 },
    /*  8 */ { wash_drum,   40,  300,  9,  9, RF_SAFE },
    /*  9 */ { wash_drain,   1,   90, 10,  9, RF_RINSE },
    /* 10 */ { wash_drum, 1400,  480, 13, 10, RF_SPIN },
    /* 11 */ { wash_fill,    2,   30,  3, 12, RF_SAFE },
    /* 12 */ { wash_drain,   2,  120, 13, 12, 0 },
    /* 13 */ { 0, 0, 0, 13, 13, RF_SAFE }
};

/* rows that the options leave out are passed over */
static uint8_t settle(const struct washer *w, uint8_t row)
{
    while (((program[row].flags & RF_PREWASH) && !(w->options & OPT_PREWASH)) ||
           ((program[row].flags & RF_SPIN) && (w->options & OPT_NO_SPIN)))
        row = program[row].onDone;
    return row;
}

static uint16_t estimate(const struct washer *w)
{
    unsigned extra = (w->options & OPT_RINSES) >> 1;
    unsigned seconds = 0, row = settle(w, w->row);

    extra = w->rinses < extra ? extra - w->rinses : 0;
    if (w->elapsed < program[row].timeout)
        seconds = program[row].timeout - w->elapsed;
    while (row != R_END) {
        if ((program[row].flags & RF_RINSE) && extra > 0) {
            extra--;
            row = R_RINSE;
        } else {
            row = settle(w, program[row].onDone);
        }
        seconds += program[row].timeout;
    }
    return (uint16_t)((seconds + 59) / 60);
}

int washer_program_run(struct washer *w, unsigned ticks)
{
    if (w->row > R_END)
        w->row = R_ABORT;

    for (; ticks > 0; ticks--) {
        const struct row *r;
        unsigned arg;
        int res;
        uint8_t next;

        w->row = settle(w, w->row);
        r = &program[w->row];

        w->paused = (w->requests & REQ_PAUSE) && (r->flags & RF_SAFE);
        w->unlocked = (w->requests & REQ_DOOR) && (r->flags & RF_SAFE);
        if (r->step == 0)
            break;
        if (w->paused || w->unlocked)
            break;

        arg = r->arg;
        if ((r->flags & RF_SPIN) && arg > w->spinLimit)
            arg = w->spinLimit;
        res = r->step(w, arg);
        w->elapsed++;
        w->total++;

        if (res > 0) {
            next = r->onDone;
            if ((r->flags & RF_RINSE) && w->rinses < (w->options & OPT_RINSES) >> 1) {
                w->rinses++;
                next = R_RINSE;
            }
            w->hops = 0;
        } else if (res < 0 || w->elapsed >= r->timeout) {
            next = r->onFail;
            if (++w->hops > MAX_HOPS) {
                w->hops = 0;
                w->row = R_ABORT;
                w->elapsed = 0;
                w->minutes = 0;
                return -1;
            }
        } else {
            continue;
        }
        w->row = next;
        w->elapsed = 0;
    }
    w->minutes = estimate(w);
    return w->row;
}
