#include <stdint.h>

#define DNS_EBOUNDS  -1
#define DNS_ELOOP    -2
#define DNS_ELABEL   -3
#define DNS_ELONG    -4
#define DNS_ENOROOM  -5

/*
 * Turn the name at msg[off] into lower case text a log or a host table can take:
 *   "printer.lan", "a\.b.lan" for a dot inside a label, "\007x" for what is no letter at all.
 * The result is where the parser goes on behind the name.
 */
int dns_name_expand(const uint8_t *msg, unsigned len, unsigned off, char *out, unsigned cap)
{
  unsigned pos = off;       /* read position */
  unsigned start = off;     /* pointers have to go below this */
  unsigned wire = 1;        /* bytes without compression; the root counts */
  unsigned o = 0;
  int      after = 0;       /* 0: no pointer so far */
  int      err;

  for (;;) {
    unsigned c, k;

    err = DNS_EBOUNDS;
    if (pos >= len)
      goto fail;
    c = msg[pos++];

    if (c >= 0xC0) {
      if (pos >= len)
        goto fail;
      c = (c & 0x3F) << 8 | msg[pos++];
      if (!after)
        after = (int)pos;
      err = DNS_ELOOP;
      if (c >= start)
        goto fail;
      pos = start = c;
      continue;
    }
    if (c >= 0x40) {
      err = DNS_ELABEL;
      goto fail;
    }
    if (c == 0)
      break;
    if (c > len - pos)
      goto fail;
    wire += c + 1;
    if (wire > 255) {
      err = DNS_ELONG;
      goto fail;
    }

    err = DNS_ENOROOM;
    if (o) {
      if (o + 1 >= cap)
        goto fail;
      out[o++] = '.';
    }
    for (k = 0; k < c; k++) {
      uint8_t ch = msg[pos++];

      if (ch >= 'A' && ch <= 'Z')
        ch += 'a' - 'A';
      if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_') {
        if (o + 1 >= cap)
          goto fail;
        out[o++] = (char)ch;
      } else if (ch == '.' || ch == '\\') {
        if (o + 2 >= cap)
          goto fail;
        out[o++] = '\\';
        out[o++] = (char)ch;
      } else {
        if (o + 4 >= cap)
          goto fail;
        out[o++] = '\\';
        out[o++] = (char)('0' + ch / 100);
        out[o++] = (char)('0' + ch / 10 % 10);
        out[o++] = (char)('0' + ch % 10);
      }
    }
  }

  if (o == 0) {
    if (cap < 2) {
      err = DNS_ENOROOM;
      goto fail;
    }
    out[o++] = '.';
  }
  out[o] = 0;
  return after ? after : (int)pos;

fail:
  if (cap)
    out[o] = 0;
  return err;
}
