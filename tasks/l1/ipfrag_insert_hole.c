#include <stdint.h>

#define MAX_HOLES   8
#define TOP         65535u

#define FRAG_OPEN      0
#define FRAG_COMPLETE  1
#define FRAG_REJECT    (-1)
#define FRAG_DROPPED   (-2)

struct reasm {
   struct { uint16_t first, last; } hole[MAX_HOLES];   /* ascending */
   uint8_t  n;
   uint16_t total;      /* 0 until the final fragment was seen */
   uint16_t overlap;
   uint8_t  done;
};

int ipfrag_insert_hole(struct reasm *r, uint16_t first, uint16_t last, int more)
{
   unsigned i, j = 0, fresh = 0, twice;

   if (r->done || first > last || last == TOP)    /* TOP would need a total of 65536 */
      return FRAG_REJECT;

   if (more) {
      if (r->total && last >= r->total)
         return FRAG_REJECT;
   } else {
      if (r->total) {
         if (r->total != last + 1u)
            return FRAG_REJECT;
      } else {
         /* everything from the tail hole on is still missing: did we get data behind last already? */
         if (r->n == 0 || r->hole[r->n - 1].last != TOP || r->hole[r->n - 1].first > last + 1u)
            return FRAG_REJECT;
         r->total = (uint16_t)(last + 1u);
      }
   }

   for (i = 0; i < r->n; i++) {
      const uint16_t hf = r->hole[i].first;
      uint16_t hl = r->hole[i].last;

      if (!more && hf > last)
         continue;                          /* behind the end */
      if (first > hl || last < hf) {
         r->hole[j].first = hf;
         r->hole[j++].last = hl;
         continue;
      }
      fresh += (last < hl ? last : hl) - (first > hf ? first : hf) + 1u;
      if (!more)
         hl = last;

      if (hf < first && last < hl) {
         /* lands inside: nobody else is touched, so j == i here */
         unsigned k;

         if (r->n == MAX_HOLES) {
            r->n = 0;
            r->done = 2;
            return FRAG_DROPPED;
         }
         for (k = r->n; k > i + 1; k--)
            r->hole[k] = r->hole[k - 1];
         r->n++;
         r->hole[i].last = (uint16_t)(first - 1u);
         r->hole[i + 1].first = (uint16_t)(last + 1u);
         r->hole[i + 1].last = hl;
         j = r->n;
         break;
      }
      if (hf < first) {
         r->hole[j].first = hf;
         r->hole[j++].last = (uint16_t)(first - 1u);
      } else if (last < hl) {
         r->hole[j].first = (uint16_t)(last + 1u);
         r->hole[j++].last = hl;
      }
   }
   r->n = (uint8_t)j;

   twice = (unsigned)(last - first) + 1u - fresh;
   r->overlap = (uint16_t)(r->overlap + twice > TOP ? TOP : r->overlap + twice);

   if (j != 0)
      return FRAG_OPEN;
   r->done = 1;
   return FRAG_COMPLETE;
}
