#include <stdint.h>
#include <stdbool.h>

#define EV_USER_BITS    0x00FFFFFFu     /* the top byte belongs to the kernel */
#define EV_MAX_WAITERS  10

enum { WAIT_ANY = 0, WAIT_ALL = 1, WAIT_EXACT = 2 };

struct ev_wait {
    uint32_t mask;
    uint32_t deadline;                  /* 0: waits for ever */
    uint8_t  tid;
    uint8_t  mode    : 2;
    uint8_t  consume : 1;
    uint8_t  live    : 1;
    uint8_t  woken   : 4;               /* times, saturating */
};

struct evgroup {
    uint32_t       flags;
    uint32_t       now;                 /* system tick, kept by the timer interrupt */
    uint8_t        n_wait;
    struct ev_wait wait[EV_MAX_WAITERS];  /* most urgent first */
};

extern volatile uint32_t EV_PEND;
extern void task_ready(unsigned tid, uint32_t value);
extern void isr_request_switch(void);

static bool ev_satisfied(const struct ev_wait *w, uint32_t flags)
{
    const uint32_t mask = w->mask & EV_USER_BITS;
    switch (w->mode) {
        case WAIT_ANY:   return (flags & mask) != 0;
        case WAIT_ALL:   return (flags & mask) == mask;
        case WAIT_EXACT: return flags == mask;
        default:         return false;
    }
}

uint32_t event_group_release(struct evgroup *g, uint32_t set, uint32_t clear, unsigned from_isr)
{
    const unsigned n = g->n_wait < EV_MAX_WAITERS ? g->n_wait : EV_MAX_WAITERS;
    set   &= EV_USER_BITS;
    clear &= EV_USER_BITS;

    if (from_isr) {
        /* the scheduler comes back for the rest outside of the interrupt */
        uint32_t pend = EV_PEND | set;
        EV_PEND = pend;
        pend |= g->flags;
        for (unsigned i = 0; i < n; i++) {
            const struct ev_wait *w = &g->wait[i];
            if (w->live && ((w->mask & pend & EV_USER_BITS) != 0 || w->mode == WAIT_ALL)) {
                isr_request_switch();
                break;
            }
        }
        return g->flags & EV_USER_BITS;
    }

    set |= EV_PEND & EV_USER_BITS;
    EV_PEND = 0;

    const uint32_t kernel = g->flags & ~EV_USER_BITS;
    uint32_t flags = (g->flags | set) & EV_USER_BITS;
    uint32_t eaten = 0;

    for (unsigned i = 0; i < n; i++) {
        struct ev_wait *w = &g->wait[i];
        if (!w->live)
            continue;
        if (w->deadline != 0 && (int32_t)(g->now - w->deadline) >= 0)
            continue;                   /* timed out, the timer task is about to tell it so */
        if (!ev_satisfied(w, flags))
            continue;
        w->live = 0;
        if (w->woken < 15)
            w->woken++;
        if (w->consume)
            eaten |= w->mask & EV_USER_BITS;
        task_ready(w->tid, flags);
    }

    flags &= ~(eaten | clear);
    g->flags = flags | kernel;
    return flags;
}
