#include <stdint.h>
#include <limits.h>

/* Offline check of a task set before it is loaded to the controller. */

struct rtask {
  uint32_t cost;
  uint32_t period;
  uint32_t deadline;
  uint32_t jitter;
  uint32_t blocking;
};

extern uint16_t switch_cost;

#define RTA_MAX_TASKS  10
#define RTA_ROUNDS     60
#define RTA_NEVER      UINT32_MAX

/* opts */
#define RTA_SORT       1u   /* deadline monotonic, else most urgent first as given */
#define RTA_SWITCHES   2u
#define RTA_NOPREEMPT  4u

int rta_response_times(const struct rtask *t, unsigned n, uint32_t *resp, unsigned opts)
{
  unsigned rank[RTA_MAX_TASKS];
  uint64_t cost[RTA_MAX_TASKS];
  uint64_t use = 0;             /* 32 fractional bits */
  int good = 0;

  if (n > RTA_MAX_TASKS) return -2;

  for (unsigned i = 0; i < n; i++) {
    if (t[i].period == 0) return -2;
    cost[i] = t[i].cost;
    if (opts & RTA_SWITCHES) cost[i] += 2u * (uint32_t)switch_cost;    /* in and out */
    use += (cost[i] << 32) / t[i].period;

    unsigned j = i;
    if (opts & RTA_SORT) {
      for (; j > 0 && t[rank[j - 1]].deadline > t[i].deadline; j--)
        rank[j] = rank[j - 1];
    }
    rank[j] = i;
  }
  if (use > (uint64_t)1 << 32) return -1;

  for (unsigned r = 0; r < n; r++) {
    const struct rtask *me = &t[rank[r]];
    uint64_t block = me->blocking;

    if (opts & RTA_NOPREEMPT) {
      for (unsigned k = r + 1; k < n; k++)
        if (cost[rank[k]] > block) block = cost[rank[k]];
    }

    uint64_t w = cost[rank[r]] + block;
    resp[rank[r]] = RTA_NEVER;

    for (unsigned round = 0; round < RTA_ROUNDS; round++) {
      uint64_t sum = cost[rank[r]] + block;
      for (unsigned h = 0; h < r; h++) {
        const struct rtask *hi = &t[rank[h]];
        uint64_t releases = (w + hi->jitter + hi->period - 1) / hi->period;
        sum += releases * cost[rank[h]];
      }
      if (sum + me->jitter > me->deadline) break;
      if (sum == w) {
        resp[rank[r]] = (uint32_t)(w + me->jitter);
        good++;
        break;
      }
      w = sum;
    }
  }
  return good;
}
