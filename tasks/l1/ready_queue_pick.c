#include <stdint.h>

#define SCHED_PRIOS   64u
#define SCHED_TASKS   20u
#define SCHED_NOTASK  0xFFu
#define FAIR_INTERVAL 32u

typedef enum { R_TICK = 0, R_YIELD, R_BLOCK, R_PREEMPT } ePickReason;

typedef struct tcb {
    uint8_t  ucNext, ucPrev;        /* ring of the tasks ready at this priority */
    uint8_t  ucPrio;                /* 0 is most urgent */
    uint8_t  ucQuantum, ucLeft;
    uint64_t ullRunTime;
} tcb_t;

struct sched {
    uint8_t  ucGroups;              /* bit g: some priority of 8g..8g+7 has tasks */
    uint8_t  aucLevel[8];
    uint8_t  aucHead[SCHED_PRIOS];
    uint8_t  ucLocked;
    uint8_t  ucPending;
    uint16_t usPicks;
    uint32_t ulSince;               /* cycle count when the running task got the CPU */
    tcb_t    axTask[SCHED_TASKS];   /* task 0 is idle and never queued */
};

extern void cpu_switch_to(unsigned tid);
extern uint32_t cpu_cycles(void);

static void prvQueue(struct sched *s, unsigned uxTask, int xAtHead)
{
    tcb_t *pxT = &s->axTask[uxTask];
    unsigned uxPrio = pxT->ucPrio % SCHED_PRIOS;
    unsigned uxGroup = uxPrio >> 3;

    if (s->aucLevel[uxGroup] & (1u << (uxPrio & 7u))) {
        unsigned uxHead = s->aucHead[uxPrio];
        unsigned uxTail = s->axTask[uxHead].ucPrev;

        pxT->ucNext = (uint8_t)uxHead;
        pxT->ucPrev = (uint8_t)uxTail;
        s->axTask[uxTail].ucNext = (uint8_t)uxTask;
        s->axTask[uxHead].ucPrev = (uint8_t)uxTask;
        if (xAtHead) {
            s->aucHead[uxPrio] = (uint8_t)uxTask;
        }
    } else {
        pxT->ucNext = pxT->ucPrev = (uint8_t)uxTask;
        s->aucHead[uxPrio] = (uint8_t)uxTask;
        s->aucLevel[uxGroup] |= (uint8_t)(1u << (uxPrio & 7u));
        s->ucGroups |= (uint8_t)(1u << uxGroup);
    }
}

static unsigned prvDequeue(struct sched *s, unsigned uxPrio)
{
    unsigned uxTask = s->aucHead[uxPrio];
    tcb_t *pxT = &s->axTask[uxTask];

    if (pxT->ucNext == uxTask) {
        s->aucHead[uxPrio] = SCHED_NOTASK;
        s->aucLevel[uxPrio >> 3] &= (uint8_t)~(1u << (uxPrio & 7u));
        if (s->aucLevel[uxPrio >> 3] == 0) {
            s->ucGroups &= (uint8_t)~(1u << (uxPrio >> 3));
        }
    } else {
        s->axTask[pxT->ucPrev].ucNext = pxT->ucNext;
        s->axTask[pxT->ucNext].ucPrev = pxT->ucPrev;
        s->aucHead[uxPrio] = pxT->ucNext;
    }
    return uxTask;
}

static unsigned prvLowBit(unsigned ux)
{
    return (unsigned)__builtin_ctz(ux);
}

static unsigned prvHighBit(unsigned ux)
{
    return 31u - (unsigned)__builtin_clz(ux);
}

int ready_queue_pick(struct sched *s, int current, unsigned reason)
{
    unsigned uxNext = 0;

    if ((unsigned)current >= SCHED_TASKS) {
        return -1;
    }
    if (s->ucLocked) {
        s->ucPending = 1;
        return current;
    }
    s->ucPending = 0;

    tcb_t *pxCur = &s->axTask[current];

    if (current != 0) {
        switch (reason) {
        case R_BLOCK:
            pxCur->ucLeft = pxCur->ucQuantum;
            break;
        case R_YIELD:
            pxCur->ucLeft = pxCur->ucQuantum;
            prvQueue(s, (unsigned)current, 0);
            break;
        case R_PREEMPT:
            prvQueue(s, (unsigned)current, 1);
            break;
        default:
            if (pxCur->ucLeft > 1) {
                pxCur->ucLeft--;
                prvQueue(s, (unsigned)current, 1);
            } else {
                pxCur->ucLeft = pxCur->ucQuantum;
                prvQueue(s, (unsigned)current, 0);
            }
            break;
        }
    }

    s->usPicks++;
    if (s->ucGroups != 0) {
        unsigned uxGroup, uxPrio;

        if (s->usPicks % FAIR_INTERVAL == 0) {
            /* the starved ones get one tick now and then */
            uxGroup = prvHighBit(s->ucGroups);
            uxPrio = uxGroup * 8u + prvHighBit(s->aucLevel[uxGroup]);
            uxNext = prvDequeue(s, uxPrio);
            s->axTask[uxNext].ucLeft = 1;
        } else {
            uxGroup = prvLowBit(s->ucGroups);
            uxPrio = uxGroup * 8u + prvLowBit(s->aucLevel[uxGroup]);
            uxNext = prvDequeue(s, uxPrio);
        }
    }

    if (uxNext != (unsigned)current) {
        uint32_t ulNow = cpu_cycles();

        pxCur->ullRunTime += (uint32_t)(ulNow - s->ulSince);
        s->ulSince = ulNow;
        cpu_switch_to(uxNext);
    }
    return (int)uxNext;
}
