#include <stdint.h>
#include <stdbool.h>

struct wdg_task
{
  uint32_t last;
  uint32_t min_gap;
  uint32_t max_gap;
  uint8_t  id;
  uint8_t  critical;
  uint8_t  alive;
  uint8_t  strikes;
};

extern volatile uint32_t WWDG_CR;   /* T[6:0] counts down, bit 7 WDGA */
extern volatile uint32_t WWDG_CFR;  /* W[6:0] */
extern uint8_t  wdgPostponed;
extern uint16_t wdgReloads;

_Noreturn extern void system_reset(unsigned reason);
extern void wdg_trace(uint8_t id, uint32_t late_ms);

#define T_MASK        0x7Fu
#define T_LOWEST      0x40u   /* the dog bites when T6 falls */
#define WDGA          0x80u
#define STRIKES_MAX   15u
#define STRIKES_OUT   3u
#define TOTAL_OUT     8u

#define RR_CRITICAL   0x5700u
#define RR_TOTAL      0x5800u

void window_watchdog_service(struct wdg_task *tasks, unsigned n, uint32_t now)
{
  unsigned reason = 0u;
  unsigned total = 0u;
  int firstSlack = -1;   /* first non-critical sinner */

  for (unsigned i = 0u; i < n; ++i)
  {
    struct wdg_task * const pT = &tasks[i];
    const uint32_t gap = now - pT->last;
    bool strike = false;

    if (gap > pT->max_gap)
    {
      strike = true;
      wdg_trace(pT->id, gap - pT->max_gap);
    }
    else if (pT->alive && gap < pT->min_gap)
    {
      /* early: how much, as a negative lateness */
      strike = true;
      wdg_trace(pT->id, gap - pT->min_gap);
    }
    else if (pT->alive)
    {
      pT->strikes = 0u;
    }

    if (strike && pT->strikes < STRIKES_MAX)
    {
      pT->strikes++;
    }
    if (pT->alive)
    {
      pT->last = now;
      pT->alive = 0u;
    }

    if (pT->critical)
    {
      if (pT->strikes >= STRIKES_OUT && reason == 0u)
      {
        reason = RR_CRITICAL | pT->id;
      }
    }
    else
    {
      total += pT->strikes;
      if (pT->strikes != 0u && firstSlack < 0)
      {
        firstSlack = pT->id;
      }
    }
  }

  if (reason == 0u && total > TOTAL_OUT)
  {
    reason = RR_TOTAL | (unsigned)firstSlack;
  }
  if (reason != 0u)
  {
    system_reset(reason);
  }

  const uint32_t t = WWDG_CR & T_MASK;
  if (t >= T_LOWEST && t <= (WWDG_CFR & T_MASK))
  {
    WWDG_CR = WDGA | T_MASK;
    wdgPostponed = 0u;
    wdgReloads++;
  }
  else
  {
    wdgPostponed = 1u;
  }
}
