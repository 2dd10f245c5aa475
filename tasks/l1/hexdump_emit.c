/* Console memory dump, one sink call per line. */
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

typedef uint8_t  u8;
typedef uint32_t u32;

extern void dump_line(const char *text, unsigned len);
extern int memcmp(const void *a, const void *b, size_t n);

#define MAX_COLS 16u

static char *put_hex(char *p, u32 v, int digits)
{
  while (digits-- > 0)
    *p++ = "0123456789abcdef"[(v >> (4 * digits)) & 15u];
  return p;
}

static bool all_same(const u8 *p, unsigned n)
{
  for (unsigned i = 1; i < n; ++i)
    if (p[i] != p[0]) return false;
  return true;
}

unsigned hexdump_emit(const uint8_t *mem, unsigned n, uint32_t base, unsigned cols)
{
  char text[8 + 2 + 3 * MAX_COLS + 1 + 1 + MAX_COLS + 1];
  const u8 *shown = NULL;     // last full line that went out
  bool starred = false;
  unsigned lines = 0;
  unsigned off = 0;

  if (cols == 0 || cols > MAX_COLS) cols = MAX_COLS;
  unsigned indent = base % cols;
  u32 addr = base - indent;

  while (off < n) {
    const u8 *row = mem + off;
    unsigned take = cols - indent;
    if (take > n - off) take = n - off;
    char *p = text;

    if (take == cols && take < n - off) {
      // erased flash and cleared RAM: count whole lines, but leave the last one
      if ((row[0] == 0x00 || row[0] == 0xFF) && all_same(row, cols)) {
        unsigned rows = 1;
        while (off + (rows + 1) * cols < n && row[rows * cols] == row[0] && all_same(row + rows * cols, cols))
          ++rows;
        if (rows >= 2) {
          unsigned count = rows * cols;
          p = put_hex(p, addr, 8);
          *p++ = ' ';
          *p++ = ' ';
          if (count >= 100) *p++ = '1';        // never more than a few hundred here
          if (count >= 10) *p++ = (char)('0' + count / 10 % 10);
          *p++ = (char)('0' + count % 10);
          *p++ = 'x';
          p = put_hex(p, row[0], 2);
          dump_line(text, (unsigned)(p - text));
          ++lines;
          off += count;
          addr += count;
          shown = NULL;
          continue;
        }
      }
      if (shown != NULL && memcmp(shown, row, cols) == 0) {
        if (!starred) {
          dump_line("*", 1);
          ++lines;
          starred = true;
        }
        off += cols;
        addr += cols;
        continue;
      }
    }

    p = put_hex(p, addr, 8);
    *p++ = ' ';
    for (unsigned c = 0; c < cols; ++c) {
      if (c == cols / 2) *p++ = ' ';
      *p++ = ' ';
      if (c >= indent && c - indent < take) {
        p = put_hex(p, row[c - indent], 2);
      } else {
        *p++ = ' ';
        *p++ = ' ';
      }
    }
    *p++ = '|';
    for (unsigned c = 0; c < indent; ++c) *p++ = ' ';
    for (unsigned c = 0; c < take; ++c)
      *p++ = (row[c] >= 0x20 && row[c] < 0x7F) ? (char)row[c] : '.';
    *p++ = '|';
    dump_line(text, (unsigned)(p - text));
    ++lines;

    shown = take == cols ? row : NULL;
    starred = false;
    off += take;
    addr += cols;
    indent = 0;
  }
  return lines;
}
