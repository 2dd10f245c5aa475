#include <stddef.h>
#include <stdint.h>

#define IN_DEAD  0x01u          /* owner gave it up; the collector frees it */

struct inode {
    struct inode *next, *prev;
    int16_t       prio;
    uint16_t      id;
    uint8_t       flags;
};

/* < 0: x goes first. Higher priority first, then the lower id. */
static int
inode_order(const struct inode *x, const struct inode *y)
{
    if (x->prio != y->prio)
        return x->prio > y->prio ? -1 : 1;
    return (int)x->id - (int)y->id;
}

struct inode *
ilist_merge_sorted(struct inode *a, struct inode *b, struct inode **dups)
{
    struct inode *head = NULL, *tail = NULL;
    struct inode *dtail = *dups;

    while (dtail != NULL && dtail->next != NULL)
        dtail = dtail->next;

    while (a != NULL || b != NULL) {
        struct inode *take;

        /* b only when it goes strictly before a */
        if (a != NULL && (b == NULL || inode_order(a, b) <= 0)) {
            take = a;
            a = a->next;
        } else {
            take = b;
            b = b->next;
        }

        if (take->flags & IN_DEAD) {
            take->next = NULL;
            take->prev = dtail;
            if (dtail != NULL)
                dtail->next = take;
            else
                *dups = take;
            dtail = take;
            continue;
        }

        if (tail != NULL && inode_order(tail, take) == 0) {
            /* registered twice: the one already linked stays */
            tail->flags |= take->flags;
            take->prev = NULL;
            take->next = *dups;
            if (*dups != NULL)
                (*dups)->prev = take;
            else
                dtail = take;
            *dups = take;
            continue;
        }

        take->prev = tail;
        take->next = NULL;
        if (tail != NULL)
            tail->next = take;
        else
            head = take;
        tail = take;
    }
    return head;
}
