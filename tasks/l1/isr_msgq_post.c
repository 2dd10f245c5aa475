#include <stdint.h>
#include <stdbool.h>

#define MQ_DEPTH        8U
#define MQ_IDX(n)       ((uint8_t)((n) & (MQ_DEPTH - 1U)))

#define POST_COALESCE   0x1U
#define POST_OVERWRITE  0x2U
#define POST_URGENT     0x4U

struct msg {
    uint8_t  type;
    uint8_t  source;
    uint16_t bits;
    uint32_t data;
    uint32_t stamp;
};

/* head and tail run freely; the reader task moves head, everybody else tail */
struct msgq {
    volatile uint8_t head;
    volatile uint8_t tail;
    uint8_t    high_mark;
    uint8_t    low_mark;
    uint8_t    sem_id;
    bool       signalled;
    uint16_t   dropped;
    uint8_t    prio[MQ_DEPTH];
    struct msg slot[MQ_DEPTH];
};

extern uint32_t irq_save(void);
extern void irq_restore(uint32_t key);
extern void sem_give_isr(unsigned sem);

/* Returns how many messages stand before this one, -1 if it was dropped. */
int isr_msgq_post(struct msgq *q, const struct msg *m, unsigned prio, unsigned flags)
{
    int pos = -1;
    const uint32_t key = irq_save();
    const uint8_t head = q->head;
    const uint8_t count = (uint8_t)(q->tail - head);

    if (count < q->low_mark)
    {
        q->signalled = false;
    }

    if ((flags & POST_COALESCE) != 0U)
    {
        for (uint8_t i = 0U; i < count; i++)
        {
            const uint8_t at = MQ_IDX(head + i);
            struct msg *old = &q->slot[at];

            if ((old->type == m->type) && (old->source == m->source))
            {
                old->bits |= m->bits;
                old->data = m->data;        /* the stamp tells since when */
                if (prio > q->prio[at])
                {
                    q->prio[at] = (uint8_t)prio;
                }
                pos = (int)i;
                goto unlock;
            }
        }
    }

    if (count >= MQ_DEPTH)
    {
        if ((flags & POST_OVERWRITE) != 0U)
        {
            for (uint8_t i = 0U; i < MQ_DEPTH; i++)
            {
                const uint8_t at = MQ_IDX(head + i);

                if (q->prio[at] < prio)
                {
                    q->slot[at] = *m;
                    q->prio[at] = (uint8_t)prio;
                    pos = (int)i;
                    break;
                }
            }
        }
        /* whichever of the two was lost */
        if (q->dropped < UINT16_MAX)
        {
            q->dropped++;
        }
        goto unlock;
    }

    uint8_t at;

    if ((flags & POST_URGENT) != 0U)
    {
        q->head = (uint8_t)(head - 1U);
        at = MQ_IDX(head - 1U);
        pos = 0;
    }
    else
    {
        at = MQ_IDX(head + count);
        q->tail = (uint8_t)(head + count + 1U);
        pos = (int)count;
    }
    q->slot[at] = *m;
    q->prio[at] = (uint8_t)prio;

    if (((count + 1U) >= q->high_mark) && !q->signalled)
    {
        q->signalled = true;
        sem_give_isr(q->sem_id);
    }

unlock:
    irq_restore(key);
    return pos;
}
