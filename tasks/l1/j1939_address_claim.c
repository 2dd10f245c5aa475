/*-
 * J1939-81 network management: what we do when somebody claims an address.
 * The lower NAME has the higher priority.
 */
#include <stdint.h>

#define ADDR_NULL        254
#define ADDR_GLOBAL      255
#define DYN_FIRST        128
#define DYN_LAST         247
#define TAB_SIZE         32
#define NAME_ARBITRARY   ((uint64_t)1 << 63)

struct j1939_peer {
  uint64_t name;
  uint8_t addr;
};

struct j1939_net {
  uint64_t name;
  struct j1939_peer tab[TAB_SIZE];
  uint8_t addr;
  uint8_t count;
};

extern void j1939_send_claim(uint64_t name, uint8_t addr);

/* First dynamic address that neither the table nor the winner holds. */
static uint8_t free_addr(const struct j1939_net *net, uint8_t winner)
{
  uint64_t used[2] = { 0, 0 };
  unsigned a;

  for (unsigned i = 0; i < net->count; i++) {
    a = net->tab[i].addr;
    if (a >= DYN_FIRST && a <= DYN_LAST)
      used[(a - DYN_FIRST) >> 6] |= (uint64_t)1 << ((a - DYN_FIRST) & 63);
  }
  if (winner >= DYN_FIRST && winner <= DYN_LAST)
    used[(winner - DYN_FIRST) >> 6] |= (uint64_t)1 << ((winner - DYN_FIRST) & 63);

  /* 33 of 120 at most are taken, so this ends */
  for (a = 0; used[a >> 6] >> (a & 63) & 1; a++)
    ;
  return (uint8_t)(DYN_FIRST + a);
}

static void learn(struct j1939_net *net, uint64_t name, uint8_t src)
{
  int by_addr = -1, by_name = -1, worst = 0;

  for (int i = 0; i < net->count; i++) {
    if (net->tab[i].addr == src)
      by_addr = i;
    if (net->tab[i].name == name)
      by_name = i;
    if (net->tab[i].name > net->tab[worst].name)
      worst = i;
  }

  if (by_addr >= 0) {
    if (name >= net->tab[by_addr].name)
      return;                       /* loser; it will claim another one */
    net->tab[by_addr].name = name;
    if (by_name >= 0) {             /* moved: close the gap it leaves */
      int last = --net->count;
      net->tab[by_name].name = net->tab[last].name;
      net->tab[by_name].addr = net->tab[last].addr;
    }
  } else if (by_name >= 0) {
    net->tab[by_name].addr = src;
  } else {
    if (net->count < TAB_SIZE)
      worst = net->count++;
    net->tab[worst].name = name;
    net->tab[worst].addr = src;
  }
}

uint8_t j1939_address_claim(struct j1939_net *net, uint64_t name, uint8_t src)
{
  if (src >= ADDR_NULL)
    return net->addr;
  if (net->count > TAB_SIZE)
    net->count = TAB_SIZE;

  if (src == net->addr) {
    if (net->name < name) {
      j1939_send_claim(net->name, net->addr);
      return net->addr;
    }
    /* Equal NAMEs are two misconfigured boxes: moving would only repeat the clash. */
    if (net->name != name && (net->name & NAME_ARBITRARY))
      net->addr = free_addr(net, src);
    else
      net->addr = ADDR_NULL;
    j1939_send_claim(net->name, net->addr);
  }

  learn(net, name, src);
  return net->addr;
}
