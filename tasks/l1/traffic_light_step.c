#include <stdint.h>
#include <stdbool.h>

#define NUM_GROUPS   6u
#define NUM_PHASES   4u

/* lamp colours, may be combined */
#define LAMP_DARK    0x00u
#define LAMP_RED     0x01u
#define LAMP_AMBER   0x02u
#define LAMP_GREEN   0x04u

/* step flags */
#define FLG_BUS_MASK 0x03u      /* phase the bus wants */
#define FLG_BUS      0x04u      /* bus has announced itself */
#define FLG_PED_ALL  0x08u      /* school hours: pedestrians in every cycle */
#define FLG_RESET    0x80u

#define T_AMBER      3u
#define T_ALL_RED    2u
#define T_GAP        4u

typedef enum { IV_GREEN, IV_AMBER, IV_ALL_RED, IV_FLASH } Interval;

struct junction {
  uint8_t phase;
  uint8_t interval;
  uint8_t timer;                /* seconds in this interval */
  uint8_t gap;                  /* seconds since a vehicle was seen in green */
  uint8_t demand;               /* latched per group, vehicles and push buttons */
  uint8_t fault;                /* 0x40 conflict, 0x80 lamp, low bits the group */
  uint8_t lamps[NUM_GROUPS];
  uint16_t tick;
};

extern void lamp_set(uint8_t group, uint8_t colours);
extern int lamp_current_ok(uint8_t group);

/* groups 0..3 are vehicles, 4 and 5 pedestrians */
static const uint8_t plan[NUM_PHASES][NUM_GROUPS] = {
  { LAMP_GREEN, LAMP_RED,   LAMP_GREEN, LAMP_RED,   LAMP_RED,   LAMP_RED   },
  { LAMP_GREEN, LAMP_RED,   LAMP_RED,   LAMP_RED,   LAMP_GREEN, LAMP_RED   },
  { LAMP_RED,   LAMP_GREEN, LAMP_RED,   LAMP_GREEN, LAMP_RED,   LAMP_RED   },
  { LAMP_RED,   LAMP_GREEN, LAMP_RED,   LAMP_RED,   LAMP_RED,   LAMP_GREEN },
};
static const uint8_t limits[NUM_PHASES][2] = { { 8, 45 }, { 6, 20 }, { 8, 40 }, { 5, 15 } };
static const uint8_t conflicts[NUM_GROUPS] = { 0x2A, 0x05, 0x1A, 0x25, 0x04, 0x09 };

static void ShowLamp(struct junction *j, uint8_t group, uint8_t colours)
{
  if (j->lamps[group] != colours) {
    j->lamps[group] = colours;
    lamp_set(group, colours);
  }
}

static void GoTo(struct junction *j, Interval next)
{
  j->interval = (uint8_t)next;
  j->timer = 0;
}

static uint8_t GreenGroups(uint8_t phase)
{
  uint8_t mask = 0;
  for (uint8_t g = 0; g < NUM_GROUPS; g++) {
    if (plan[phase][g] == LAMP_GREEN) {
      mask |= (uint8_t)(1u << g);
    }
  }
  return mask;
}

/* 0 when the phase may be switched to green */
static uint8_t SafetyCheck(const struct junction *j, uint8_t phase)
{
  uint8_t green = GreenGroups(phase);
  for (uint8_t g = 0; g < NUM_GROUPS; g++) {
    if ((green >> g) & 1u) {
      continue;
    }
    if ((j->lamps[g] != LAMP_RED) && ((conflicts[g] & green) != 0u)) {
      return (uint8_t)(0x40u | g);
    }
    if (lamp_current_ok(g) == 0) {
      return (uint8_t)(0x80u | g);
    }
  }
  return 0;
}

void traffic_light_step(struct junction *j, const uint8_t *detect, uint8_t flags)
{
  uint8_t here, g, next, seen = 0;
  bool others, ended;

  j->tick++;
  j->phase %= NUM_PHASES;
  if (j->timer < UINT8_MAX) {
    j->timer++;
  }
  for (g = 0; g < NUM_GROUPS; g++) {
    if (detect[g] != 0u) {
      seen |= (uint8_t)(1u << g);
    }
  }
  if ((flags & FLG_PED_ALL) != 0u) {
    seen |= 0x30u;
  }
  j->demand |= seen;
  here = GreenGroups(j->phase);

  switch (j->interval) {
  case IV_GREEN:
    j->demand &= (uint8_t)~here;
    if ((seen & here & 0x0Fu) != 0u) {
      j->gap = 0;
    } else if (j->gap < UINT8_MAX) {
      j->gap++;
    } else {
      /* stays at its end */
    }
    others = j->demand != 0u;
    ended = (j->gap >= T_GAP) || (j->timer >= limits[j->phase][1]);
    if ((flags & FLG_BUS) != 0u) {
      if ((flags & FLG_BUS_MASK) == j->phase) {
        /* hold the green, but not for ever */
        ended = j->timer >= limits[j->phase][1] + 10;
      } else {
        others = true;
        ended = true;
      }
    }
    if (others && ended && (j->timer >= limits[j->phase][0])) {
      for (g = 0; g < NUM_GROUPS; g++) {
        if (plan[j->phase][g] == LAMP_GREEN) {
          ShowLamp(j, g, (g < 4u) ? LAMP_AMBER : LAMP_RED);
        }
      }
      GoTo(j, IV_AMBER);
    }
    break;

  case IV_AMBER:
    if (j->timer >= T_AMBER) {
      for (g = 0; g < NUM_GROUPS; g++) {
        ShowLamp(j, g, LAMP_RED);
      }
      GoTo(j, IV_ALL_RED);
    }
    break;

  case IV_ALL_RED:
    if (j->timer < T_ALL_RED) {
      break;
    }
    /* the next phase that somebody waits for, else the one after this */
    next = (uint8_t)((j->phase + 1u) % NUM_PHASES);
    if ((flags & FLG_BUS) != 0u) {
      next = flags & FLG_BUS_MASK;
    } else {
      for (g = 1; g <= NUM_PHASES; g++) {
        if ((GreenGroups((uint8_t)((j->phase + g) % NUM_PHASES)) & j->demand) != 0u) {
          next = (uint8_t)((j->phase + g) % NUM_PHASES);
          break;
        }
      }
    }
    j->fault = SafetyCheck(j, next);
    if (j->fault != 0u) {
      GoTo(j, IV_FLASH);
      break;
    }
    for (g = 0; g < NUM_GROUPS; g++) {
      ShowLamp(j, g, plan[next][g]);
    }
    j->phase = next;
    j->gap = 0;
    GoTo(j, IV_GREEN);
    break;

  default:
    if ((flags & FLG_RESET) != 0u) {
      for (g = 0; g < NUM_GROUPS; g++) {
        ShowLamp(j, g, LAMP_RED);
      }
      j->fault = 0;
      j->demand = 0x3F;
      GoTo(j, IV_ALL_RED);
    } else {
      for (g = 0; g < NUM_GROUPS; g++) {
        ShowLamp(j, g, ((j->tick & 1u) != 0u) ? LAMP_AMBER : LAMP_DARK);
      }
    }
    break;
  }
}
