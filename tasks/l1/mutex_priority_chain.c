#include <stdbool.h>
#include <stdint.h>

#define N_TASK   12
#define N_MTX    8
#define NOBODY   0xFF       // no task, no mutex, no priority
#define MAX_HOPS 8
#define MAX_NEST 15

enum { TS_READY = 1, TS_BLOCKED = 2 };

enum mtx_result {
    MTX_OK = 0,
    MTX_WAIT = 1,           // the caller has to be taken off the CPU
    MTX_INVALID = -1,
    MTX_DEADLOCK = -2,
    MTX_NOT_OWNER = -3,
    MTX_NESTED = -4,
};

// Lower numbers are more urgent.
struct mtx_sys {
    struct {
        uint8_t base, eff;
        uint8_t waitsOn;
        uint8_t state;
        uint16_t ticket;    // when it began to wait
    } task[N_TASK];
    struct {
        uint8_t owner, count;
        uint8_t ceiling;    // NOBODY: inheritance
        uint8_t topWaiter;  // its effective priority
        uint16_t waiters;   // one bit a task
    } mtx[N_MTX];
    uint16_t nextTicket;
};

static uint8_t moreUrgent(uint8_t a, uint8_t b) { return a < b ? a : b; }

static uint8_t topOf(const struct mtx_sys *m, unsigned waiters)
{
    uint8_t top = NOBODY;
    for (; waiters != 0; waiters &= waiters - 1)
        top = moreUrgent(top, m->task[__builtin_ctz(waiters)].eff);
    return top;
}

static uint8_t effectiveOf(const struct mtx_sys *m, unsigned task)
{
    uint8_t p = m->task[task].base;
    for (unsigned i = 0; i < N_MTX; i++) {
        if (m->mtx[i].owner != task)
            continue;
        p = moreUrgent(p, m->mtx[i].ceiling != NOBODY ? m->mtx[i].ceiling : m->mtx[i].topWaiter);
    }
    return p;
}

static int unlockIt(struct mtx_sys *m, unsigned task, unsigned mtx)
{
    if (m->mtx[mtx].owner != task)
        return MTX_NOT_OWNER;
    if (m->mtx[mtx].count > 1) {
        m->mtx[mtx].count--;
        return MTX_OK;
    }

    unsigned heir = NOBODY;
    for (unsigned w = m->mtx[mtx].waiters; w != 0; w &= w - 1) {
        unsigned t = (unsigned)__builtin_ctz(w);
        if (heir == NOBODY || m->task[t].eff < m->task[heir].eff ||
            (m->task[t].eff == m->task[heir].eff && (int16_t)(uint16_t)(m->task[t].ticket - m->task[heir].ticket) < 0))
            heir = t;
    }

    m->mtx[mtx].owner = (uint8_t)heir;
    if (heir == NOBODY) {
        m->mtx[mtx].count = 0;
    } else {                // the count of 1 goes with it
        m->mtx[mtx].waiters &= (uint16_t)~(1u << heir);
        m->task[heir].waitsOn = NOBODY;
        m->task[heir].state = TS_READY;
    }
    m->mtx[mtx].topWaiter = topOf(m, m->mtx[mtx].waiters);
    if (heir != NOBODY)
        m->task[heir].eff = effectiveOf(m, heir);
    m->task[task].eff = effectiveOf(m, task);
    return MTX_OK;
}

int mutex_priority_chain(struct mtx_sys *m, unsigned task, unsigned mtx, unsigned unlock)
{
    if (task >= N_TASK || mtx >= N_MTX || m->task[task].waitsOn != NOBODY)
        return MTX_INVALID;
    if (unlock)
        return unlockIt(m, task, mtx);

    if (m->mtx[mtx].owner == NOBODY) {
        m->mtx[mtx].owner = (uint8_t)task;
        m->mtx[mtx].count = 1;
        if (m->mtx[mtx].ceiling < m->task[task].eff)
            m->task[task].eff = m->mtx[mtx].ceiling;
        return MTX_OK;
    }
    if (m->mtx[mtx].owner == task) {
        if (m->mtx[mtx].count >= MAX_NEST)
            return MTX_NESTED;
        m->mtx[mtx].count++;
        return MTX_OK;
    }

    // Raise whoever stands in the way, and who stands in theirs.
    struct { uint8_t task, eff, mtx, top; } undo[MAX_HOPS];
    unsigned hops = 0;
    unsigned at = mtx;
    uint8_t urgency = m->task[task].eff;
    bool ring = false;

    for (;;) {
        unsigned o = m->mtx[at].owner;
        if (o == task || hops == MAX_HOPS) {
            ring = true;
            break;
        }
        undo[hops].task = (uint8_t)o;
        undo[hops].eff = m->task[o].eff;
        undo[hops].mtx = (uint8_t)at;
        undo[hops].top = m->mtx[at].topWaiter;
        hops++;

        m->mtx[at].topWaiter = moreUrgent(m->mtx[at].topWaiter, urgency);
        if (m->mtx[at].ceiling == NOBODY)
            m->task[o].eff = moreUrgent(m->task[o].eff, urgency);
        urgency = m->task[o].eff;
        at = m->task[o].waitsOn;
        if (at == NOBODY)
            break;
    }

    if (ring) {
        while (hops-- > 0) {
            m->task[undo[hops].task].eff = undo[hops].eff;
            m->mtx[undo[hops].mtx].topWaiter = undo[hops].top;
        }
        return MTX_DEADLOCK;
    }

    m->task[task].waitsOn = (uint8_t)mtx;
    m->task[task].state = TS_BLOCKED;
    m->task[task].ticket = m->nextTicket++;
    m->mtx[mtx].waiters |= (uint16_t)(1u << task);
    return MTX_WAIT;
}
