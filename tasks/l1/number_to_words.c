#include <stdint.h>
#include <stddef.h>

void *memcpy(void *, const void *, size_t);

/* Speech text of the talking meter. */

enum { SAY_AND = 1, SAY_ORDINAL = 2, SAY_YEAR = 4 };

static const char *const small[20] = {
   "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
   "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"
};
static const char *const smallth[20] = {
   "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
   "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"
};
static const char *const tens[8] = { "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety" };

static const struct { uint32_t unit; char name[12]; } groups[4] = {
   { 1000000000u, " billion" }, { 1000000u, " million" }, { 1000u, " thousand" }, { 100u, " hundred" }
};

static unsigned add(char *t, unsigned len, const char *s)
{
   while (*s)
      t[len++] = *s++;
   return len;
}

unsigned number_to_words(char *out, unsigned cap, int32_t n, unsigned flags)
{
   char t[160];                 /* the longest one takes 135 */
   unsigned len = 0;
   uint32_t rest = n < 0 ? 0u - (uint32_t)n : (uint32_t)n;
   int tail = 1;                /* something below one hundred is still to be said */

   if (n < 0)
      len = add(t, len, "minus ");

   if ((flags & SAY_YEAR) && n >= 1100 && n <= 1999) {
      len += number_to_words(t + len, sizeof t - len, n / 100, 0);
      rest = (uint32_t)n % 100u;
      if (rest == 0) {
         len = add(t, len, " hundred");
         tail = 0;
      } else
         len = add(t, len, rest < 10 ? " oh " : " ");
   } else {
      for (unsigned i = 0; i < 4; i++) {
         if (rest < groups[i].unit)
            continue;
         len += number_to_words(t + len, sizeof t - len, (int32_t)(rest / groups[i].unit), flags & SAY_AND);
         len = add(t, len, groups[i].name);
         rest %= groups[i].unit;
         if (rest == 0) {
            tail = 0;
            break;
         }
         len = add(t, len, (flags & SAY_AND) && rest < 100 ? " and " : " ");
      }
   }

   if (!tail) {
      if (flags & SAY_ORDINAL)
         len = add(t, len, "th");
   } else {
      if (rest >= 20) {
         len = add(t, len, tens[rest / 10 - 2]);
         rest %= 10;
         if (rest != 0)
            t[len++] = '-';
         else if (flags & SAY_ORDINAL)
            len = add(t, len - 1, "ieth");   /* twenty, twentieth */
         tail = rest != 0;
      }
      if (tail)
         len = add(t, len, (flags & SAY_ORDINAL) ? smallth[rest] : small[rest]);
   }

   if (cap > len) {
      memcpy(out, t, len);
      out[len] = '\0';
   } else if (cap > 0) {
      unsigned keep = cap > 4 ? cap - 4 : 0;
      while (keep > 0 && t[keep] != ' ' && t[keep] != '-')
         keep--;
      memcpy(out, t, keep);
      for (unsigned dots = 0; dots < 3 && keep + 1 < cap; dots++)
         out[keep++] = '.';
      out[keep] = '\0';
   }
   return len;
}
