#include <stdint.h>
#include <stdbool.h>

#define KINDS_MAX 8

/* Search effort that is left, and how deep in the recursion we are. The payout task sets nodes and clears depth. */
extern uint16_t change_nodes;
extern uint8_t  change_depth;

int change_from_stock(uint16_t *stock, const uint16_t *value, unsigned kinds, unsigned amount, uint8_t *used)
{
  uint8_t  best_used[KINDS_MAX] = {0};
  unsigned best_low = 0;
  int      best = -1;
  bool     outermost = change_depth == 0;

  if (kinds > KINDS_MAX)
    return -1;

  if (change_nodes > 0)
  {
    change_nodes--;
    change_depth++;

    if (amount == 0)
    {
      best = 0;
    }
    else if (kinds > 0 && value[0] != 0)
    {
      unsigned next = kinds > 1 ? value[1] : 0;
      unsigned k = amount / value[0];

      if (k > stock[0])
        k = stock[0];
      if (k > UINT8_MAX)
        k = UINT8_MAX;

      for (;;)
      {
        unsigned rest = amount - k * value[0];
        unsigned least = k;     /* pieces this branch takes at the very least */
        int tail;

        if (rest > 0)
        {
          if (next == 0)
            break;              /* fewer of the last kind leave still more open */
          least += (rest + next - 1) / next;
        }
        if (best >= 0 && least > (unsigned)best)
          break;

        tail = change_from_stock(stock + 1, value + 1, kinds - 1, rest, used + 1);
        if (tail >= 0)
        {
          unsigned low = UINT16_MAX;

          used[0] = (uint8_t)k;
          for (unsigned j = 0; j < kinds; j++)
          {
            unsigned left = stock[j] - (unsigned)used[j];
            if (left < low)
              low = left;
          }
          tail += (int)k;
          if (best < 0 || tail < best || (tail == best && low > best_low))
          {
            best = tail;
            best_low = low;
            for (unsigned j = 0; j < kinds; j++)
              best_used[j] = used[j];
          }
        }
        if (k == 0 || change_nodes == 0)
          break;
        k--;
      }
    }
    change_depth--;
  }

  for (unsigned j = 0; j < kinds; j++)
  {
    used[j] = best_used[j];
    if (outermost)
      stock[j] -= best_used[j];
  }
  return best;
}
