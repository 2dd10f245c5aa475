#include <stdint.h>

uint8_t fat_byte(uint32_t offset);

#define FAT12_FIRST_CLUSTER  2u
#define FAT12_RESERVED       0xFF0u
#define FAT12_BAD            0xFF7u
#define FAT12_EOC            0xFF8u

/* The SD block driver takes at most 8 clusters per request. */
#define MAX_RUN              8u

#define E_BAD_CLUSTER  (-1)
#define E_FREE_LINK    (-2)
#define E_RANGE        (-3)
#define E_LOOP         (-4)
#define E_NO_SPACE     (-5)

static uint16_t fat12_entry(uint16_t cluster)
{
  uint32_t offset = cluster + cluster / 2u;
  uint8_t lo = fat_byte(offset);
  uint8_t hi = fat_byte(offset + 1u);

  if (cluster & 1u) {
    return (uint16_t)(lo >> 4 | hi << 4);
  }
  return (uint16_t)(lo | (hi & 0x0Fu) << 8);
}

int fat12_chain_read(uint16_t first, uint16_t nclusters, uint16_t *out, unsigned cap)
{
  uint16_t cluster = first;
  unsigned pairs = 0;
  /* The tortoise follows in what is already stored, which costs no access to the card. */
  unsigned slow_pair = 0, slow_step = 0;

  for (unsigned step = 0; step <= nclusters; step++) {
    if (cluster >= FAT12_EOC) {
      return (int)pairs;
    }
    if (cluster == FAT12_BAD) {
      return E_BAD_CLUSTER;
    }
    if (cluster < FAT12_FIRST_CLUSTER || cluster >= FAT12_RESERVED) {
      return E_FREE_LINK;
    }
    if (cluster > nclusters + 1u) {
      return E_RANGE;
    }

    if (pairs > 0 && out[2u * pairs - 1u] < MAX_RUN &&
        out[2u * pairs - 2u] + out[2u * pairs - 1u] == cluster) {
      out[2u * pairs - 1u]++;
    } else if (pairs < cap) {
      out[2u * pairs] = cluster;
      out[2u * pairs + 1u] = 1;
      pairs++;
    } else {
      return E_NO_SPACE;
    }

    cluster = fat12_entry(cluster);
    if (step & 1u) {
      slow_step++;
      if (slow_step == out[2u * slow_pair + 1u]) {
        slow_pair++;
        slow_step = 0;
      }
    }
    if (cluster == out[2u * slow_pair] + slow_step) {
      return E_LOOP;
    }
  }
  /* more links than clusters, the tortoise was just too slow */
  return E_LOOP;
}
