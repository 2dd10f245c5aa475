/* Week labels for the production ledger. */

#include <stdint.h>
#include <stdbool.h>

enum
{
   STYLE_ISO,           // 2024-W07-3
   STYLE_US,            // 2024-U07-3, weeks begin on Sunday, the first holds 1 January
   STYLE_PERIOD,        // 2024-P02, quarters of 4 + 4 + 5 weeks
   STYLE_COMPACT        // 2024W073
};

static const uint16_t daysBefore[13] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

static int leapYear(int y)
{
   return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

// 0 is Monday
static int weekdayOfNewYear(int y)
{
   int p = y - 1;
   return (p + p / 4 - p / 100 + p / 400) % 7;
}

static int weeksOfYear(int y)
{
   int first = weekdayOfNewYear(y);
   return first == 3 || (first == 2 && leapYear(y)) ? 53 : 52;
}

static char *putNumber(char *p, int value, int width)
{
   for (int i = width - 1; i >= 0; i--)
   {
      p[i] = (char)('0' + value % 10);
      value /= 10;
   }
   return p + width;
}

int iso_week_label(int year, unsigned mon, unsigned mday, char out[12], unsigned style)
{
   bool valid = year >= 1583 && year <= 9999 && mon >= 1 && mon <= 12 && mday >= 1;

   if (valid)
   {
      unsigned last = daysBefore[mon] - daysBefore[mon - 1];
      if (mon == 2 && leapYear(year))
         last++;
      valid = mday <= last;
   }
   if (!valid)
   {
      static const char unknown[] = "????????";
      for (unsigned i = 0; i < sizeof unknown; i++)
         out[i] = unknown[i];
      return -1;
   }

   const int newYear = weekdayOfNewYear(year);
   const int yday = daysBefore[mon - 1] + (int)mday - 1 + (mon > 2 && leapYear(year));
   int weekday = (newYear + yday) % 7;
   int week;
   char *p;

   if (style == STYLE_US)
   {
      weekday = (weekday + 1) % 7;
      week = (yday + (newYear + 1) % 7) / 7 + 1;
   }
   else
   {
      // the week belongs to the year that has its Thursday
      week = (yday - weekday + 10) / 7;
      if (week < 1)
         week = weeksOfYear(--year);
      else if (week > weeksOfYear(year))
      {
         week = 1;
         year++;
      }
   }

   p = putNumber(out, year, 4);
   switch (style)
   {
   case STYLE_COMPACT:
      *p++ = 'W';
      p = putNumber(p, week, 2);
      p = putNumber(p, weekday + 1, 1);
      break;

   case STYLE_PERIOD:
   {
      int quarter = week == 53 ? 3 : (week - 1) / 13;
      int inQuarter = week - 1 - 13 * quarter;
      int month = inQuarter < 4 ? 1 : inQuarter < 8 ? 2 : 3;

      week = 3 * quarter + month;
      *p++ = '-';
      *p++ = 'P';
      p = putNumber(p, week, 2);
      break;
   }

   default:
      *p++ = '-';
      *p++ = style == STYLE_US ? 'U' : 'W';
      p = putNumber(p, week, 2);
      *p++ = '-';
      p = putNumber(p, weekday + 1, 1);
      break;
   }
   *p = '\0';
   return year * 100 + week;
}
