#include <stdbool.h>
#include <stdint.h>

#define OW_CMD_SEARCH_ROM 0xF0u
#define OW_ROM_BITS       64u
#define OW_FAMILY_BITS    8u

struct ow_search {
  uint64_t rom;                     /* address found last, family code in the low byte */
  uint8_t last_discrepancy;         /* 1..64: fork to take the other way; 0: none left */
  uint8_t last_family_discrepancy;  /* the same among the first eight bits */
  bool done;
  uint8_t errors;
};

extern int ow_reset(void);
extern int ow_read_bit(void);
extern void ow_write_bit(int bit);

static bool search_abort(struct ow_search *s, bool fault) {
  s->last_discrepancy = 0;
  s->last_family_discrepancy = 0;
  s->done = false;
  if (fault && s->errors < 0xFFu) {
    s->errors++;
  }
  return false;
}

static void send_command(uint8_t cmd) {
  for (int i = 0; i < 8; i++) {
    ow_write_bit(cmd & 1);
    cmd >>= 1;
  }
}

/*
 * One descent of the address tree. At every level all devices still listening send their bit and
 * then its complement; the master answers with the branch it wants to follow.
 */
bool onewire_search_next(struct ow_search *s) {
  uint64_t rom = s->rom;
  uint8_t turn_back = 0;
  uint8_t family_turn = s->last_family_discrepancy;

  if (s->done) {
    return search_abort(s, false);
  }
  if (ow_reset() == 0) {
    return search_abort(s, true);
  }
  send_command(OW_CMD_SEARCH_ROM);

  for (unsigned pos = 1; pos <= OW_ROM_BITS; pos++) {
    const uint64_t mask = (uint64_t)1 << (pos - 1);
    const bool id = ow_read_bit() != 0;
    const bool cmp = ow_read_bit() != 0;
    bool dir;

    if (id && cmp) {
      return search_abort(s, true); /* everybody dropped out: contact fault */
    }
    if (id != cmp) {
      dir = id;
    } else {
      if (pos < s->last_discrepancy) {
        dir = (rom & mask) != 0;
      } else {
        dir = pos == s->last_discrepancy;
      }
      if (!dir) {
        turn_back = (uint8_t)pos;
        if (pos <= OW_FAMILY_BITS) {
          family_turn = (uint8_t)pos;
        }
      }
    }
    if (dir) {
      rom |= mask;
    } else {
      rom &= ~mask;
    }
    ow_write_bit(dir);
  }

  s->rom = rom;
  s->last_discrepancy = turn_back;
  s->last_family_discrepancy = family_turn;
  s->done = turn_back == 0;
  return true;
}
