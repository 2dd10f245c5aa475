#include <stdint.h>

// Validating skipper: nothing is stored, the cursor just has to come out
// behind the value. Used before a patch is handed to the settings store.

#define JSON_MAX_DEPTH 12

enum {
  JE_OK, JE_END, JE_TOKEN, JE_NUMBER, JE_CONTROL, JE_ESCAPE,
  JE_SURROGATE, JE_DEPTH, JE_SEPARATOR, JE_KEY, JE_COLON
};

struct jcur {
  const char *p;
  uint16_t pos, len;
  uint8_t err;
  uint16_t keys, nums, maxdepth;
};

int json_skip_value(struct jcur *c, unsigned depth);

static int stop(struct jcur *c, uint8_t code) {
  c->err = code;
  return code;
}

// Next byte, or -1 at the end of the text.
static int look(const struct jcur *c) {
  return c->pos < c->len ? (uint8_t)c->p[c->pos] : -1;
}

static int lookPastBlanks(struct jcur *c) {
  int ch = look(c);
  while (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r') {
    c->pos++;
    ch = look(c);
  }
  return ch;
}

static int isDigit(int ch) {
  return ch >= '0' && ch <= '9';
}

static int32_t hexQuad(struct jcur *c) {
  int32_t v = 0;
  for (int i = 0; i < 4; i++) {
    int ch = look(c), d;
    if (isDigit(ch))
      d = ch - '0';
    else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
      d = (ch | 0x20) - 'a' + 10;
    else
      return -stop(c, ch < 0 ? JE_END : JE_ESCAPE);
    v = v * 16 + d;
    c->pos++;
  }
  return v;
}

static int skipString(struct jcur *c) {
  c->pos++;
  for (;;) {
    int ch = look(c);
    if (ch < 0)
      return stop(c, JE_END);
    if (ch < 0x20)
      return stop(c, JE_CONTROL);
    c->pos++;
    if (ch == '"')
      return JE_OK;
    if (ch != '\\')
      continue;
    switch (look(c)) {
    case '"': case '\\': case '/': case 'b':
    case 'f': case 'n': case 'r': case 't':
      c->pos++;
      break;
    case 'u': {
      c->pos++;
      int32_t u = hexQuad(c);
      if (u < 0)
        return c->err;
      if (u >= 0xDC00 && u <= 0xDFFF) {
        c->pos -= 4;
        return stop(c, JE_SURROGATE);
      }
      if (u < 0xD800 || u > 0xDBFF)
        break;
      // first half of a pair: "\uDxxx" has to come next
      for (int i = 0; i < 2; i++) {
        if (look(c) != "\\u"[i])
          return stop(c, JE_SURROGATE);
        c->pos++;
      }
      u = hexQuad(c);
      if (u < 0)
        return c->err;
      if (u < 0xDC00 || u > 0xDFFF) {
        c->pos -= 4;
        return stop(c, JE_SURROGATE);
      }
      break;
    }
    case -1:
      return stop(c, JE_END);
    default:
      return stop(c, JE_ESCAPE);
    }
  }
}

static int skipNumber(struct jcur *c) {
  if (look(c) == '-')
    c->pos++;
  if (look(c) == '0') {
    c->pos++;
    if (isDigit(look(c)))
      return stop(c, JE_NUMBER);
  } else {
    if (!isDigit(look(c)))
      return stop(c, JE_NUMBER);
    while (isDigit(look(c)))
      c->pos++;
  }
  if (look(c) == '.') {
    c->pos++;
    if (!isDigit(look(c)))
      return stop(c, JE_NUMBER);
    while (isDigit(look(c)))
      c->pos++;
  }
  if ((look(c) | 0x20) == 'e') {
    c->pos++;
    if (look(c) == '+' || look(c) == '-')
      c->pos++;
    if (!isDigit(look(c)))
      return stop(c, JE_NUMBER);
    while (isDigit(look(c)))
      c->pos++;
  }
  c->nums++;
  return JE_OK;
}

static int skipWord(struct jcur *c, const char *word) {
  for (; *word; word++) {
    if (look(c) != (uint8_t)*word)
      return stop(c, look(c) < 0 ? JE_END : JE_TOKEN);
    c->pos++;
  }
  return JE_OK;
}

// `closer` tells arrays from objects.
static int skipItems(struct jcur *c, unsigned depth, char closer) {
  if (depth >= JSON_MAX_DEPTH)
    return stop(c, JE_DEPTH);
  c->pos++;
  int ch = lookPastBlanks(c);
  if (ch != closer) {
    for (;;) {
      if (closer == '}') {
        if (ch != '"')
          return stop(c, ch < 0 ? JE_END : JE_KEY);
        if (skipString(c) != JE_OK)
          return c->err;
        if (lookPastBlanks(c) != ':')
          return stop(c, look(c) < 0 ? JE_END : JE_COLON);
        c->pos++;
      }
      if (json_skip_value(c, depth + 1) != JE_OK)
        return c->err;
      if (closer == '}')
        c->keys++;
      ch = lookPastBlanks(c);
      if (ch == closer)
        break;
      if (ch != ',')
        return stop(c, ch < 0 ? JE_END : JE_SEPARATOR);
      c->pos++;
      ch = lookPastBlanks(c);
    }
  }
  c->pos++;
  if (c->maxdepth < depth + 1)
    c->maxdepth = (uint16_t)(depth + 1);
  return JE_OK;
}

int json_skip_value(struct jcur *c, unsigned depth) {
  int ch = lookPastBlanks(c);
  switch (ch) {
  case -1:  return stop(c, JE_END);
  case '{': return skipItems(c, depth, '}');
  case '[': return skipItems(c, depth, ']');
  case '"': return skipString(c);
  case 't': return skipWord(c, "true");
  case 'f': return skipWord(c, "false");
  case 'n': return skipWord(c, "null");
  case '-': return skipNumber(c);
  default:  return isDigit(ch) ? skipNumber(c) : stop(c, JE_TOKEN);
  }
}
