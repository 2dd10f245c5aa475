#include <stdint.h>

struct line_ed {
  char buf[48];
  uint8_t len, cur, esc;
};

extern void tty_putc(char c);
extern void tty_puts(const char *s);

#define CTRL(x) ((x) & 0x1f)
#define LINE_MAX_CHARS 47

enum { ESC_NONE, ESC_SEEN, ESC_BRACKET };

static int bell(void) { tty_putc('\a'); return -1; }

/* Writes the text from the cursor on, `blank` spaces to wipe what was longer before, and walks back. */
static void redraw_tail(const struct line_ed *e, unsigned blank) {
  unsigned i, back = e->len - e->cur + blank;

  for (i = e->cur; i < e->len; i++) tty_putc(e->buf[i]);
  for (i = 0; i < blank; i++) tty_putc(' ');
  while (back--) tty_putc('\b');
}

/* Takes out the `count` characters left of the cursor. */
static void rub_out(struct line_ed *e, unsigned count) {
  unsigned i;

  for (i = e->cur; i < e->len; i++) e->buf[i - count] = e->buf[i];
  for (i = 0; i < count; i++) tty_putc('\b');
  e->cur = (uint8_t)(e->cur - count);
  e->len = (uint8_t)(e->len - count);
  redraw_tail(e, count);
}

static int step(struct line_ed *e, uint8_t dir) {
  if (dir == 'C' && e->cur < e->len) { tty_putc(e->buf[e->cur++]); return 0; }
  if (dir == 'D' && e->cur > 0) { e->cur--; tty_putc('\b'); return 0; }
  return bell();
}

int console_line_edit(struct line_ed *e, uint8_t ch) {
  unsigned n;

  if (e->esc == ESC_SEEN) {
    e->esc = ESC_NONE;
    if (ch != '[') return bell();
    e->esc = ESC_BRACKET;
    return 0;
  }
  if (e->esc == ESC_BRACKET) {
    e->esc = ESC_NONE;
    return step(e, ch);
  }

  switch (ch) {
  case '\r':
  case '\n':
    e->buf[e->len] = '\0';
    tty_puts("\r\n");
    return 1;

  case '\b':
  case 0x7f:
    if (e->cur == 0) return bell();
    rub_out(e, 1);
    return 0;

  case CTRL('U'):
    while (e->cur < e->len) tty_putc(e->buf[e->cur++]);
    while (e->cur > 0) { tty_puts("\b \b"); e->cur--; }
    e->len = 0;
    return 0;

  case CTRL('W'):
    n = e->cur;
    while (n > 0 && e->buf[n - 1] == ' ') n--;
    while (n > 0 && e->buf[n - 1] != ' ') n--;
    if (n == e->cur) return bell();
    rub_out(e, e->cur - n);
    return 0;

  case CTRL('A'):
    while (e->cur > 0) { tty_putc('\b'); e->cur--; }
    return 0;

  case CTRL('E'):
    while (e->cur < e->len) tty_putc(e->buf[e->cur++]);
    return 0;

  case 0x1b:
    e->esc = ESC_SEEN;
    return 0;
  }

  if (ch < 0x20 || ch > 0x7e || e->len >= LINE_MAX_CHARS) return bell();

  for (n = e->len; n > e->cur; n--) e->buf[n] = e->buf[n - 1];
  e->buf[e->cur++] = (char)ch;
  e->len++;
  tty_putc((char)ch);
  redraw_tail(e, 0);
  return 0;
}
