#include <stdint.h>

#define BN_LEAF   0
#define BN_INNER  1
#define BN_FANOUT 7

/* as it lies on the disk */
struct bnode {
  uint8_t  kind;
  uint8_t  count;
  uint16_t next;             /* leaf: right sibling; inner: child left of key[0] */
  uint32_t key[BN_FANOUT];
  uint16_t val[BN_FANOUT];   /* leaf: record; inner: child right of the key */
} __attribute__((packed));

/* of two different keys */
static unsigned common_bytes(uint32_t a, uint32_t b)
{
  uint32_t x = a ^ b;
  return x < 0x100 ? 3 : x < 0x10000 ? 2 : x < 0x1000000 ? 1 : 0;
}

static void fill(struct bnode *n, const uint32_t *key, const uint16_t *val, unsigned count)
{
  n->count = (uint8_t)count;
  for (unsigned i = 0; i < BN_FANOUT; i++) {
    n->key[i] = i < count ? key[i] : 0;
    n->val[i] = i < count ? val[i] : 0;
  }
}

/* Before the call right->next is the page number that the new node will have. */
int bnode_insert_split(struct bnode *n, struct bnode *right, uint32_t key, uint16_t val, uint32_t *sep)
{
  if (n->kind > BN_INNER || n->count > BN_FANOUT)
    return -1;

  unsigned count = n->count;
  unsigned lo = 0, hi = count;
  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (n->key[mid] < key)
      lo = mid + 1;
    else
      hi = mid;
  }

  if (lo < count && n->key[lo] == key) {
    n->val[lo] = val;
    return 1;
  }

  if (count < BN_FANOUT) {
    for (unsigned i = count; i > lo; i--) {
      n->key[i] = n->key[i - 1];
      n->val[i] = n->val[i - 1];
    }
    n->key[lo] = key;
    n->val[lo] = val;
    n->count = (uint8_t)(count + 1);
    return 0;
  }

  uint32_t k[BN_FANOUT + 1];
  uint16_t v[BN_FANOUT + 1];
  for (unsigned i = 0, j = 0; i <= BN_FANOUT; i++) {
    if (i == lo) {
      k[i] = key;
      v[i] = val;
    } else {
      k[i] = n->key[j];
      v[i] = n->val[j++];
    }
  }

  uint16_t page = right->next;
  unsigned cut;
  right->kind = n->kind;

  if (n->kind == BN_INNER) {
    /* the middle key goes up, its child becomes the leftmost one on the right */
    cut = BN_FANOUT / 2 + 1;
    *sep = k[cut];
    right->next = v[cut];
    fill(right, k + cut + 1, v + cut + 1, BN_FANOUT - cut);
  } else {
    if (lo == BN_FANOUT) {
      cut = BN_FANOUT;       /* bulk load: leave full leaves behind */
    } else {
      unsigned cl = common_bytes(k[0], k[3]);
      unsigned cr = common_bytes(k[4], k[BN_FANOUT]);
      cut = cl < cr ? 5 : cr < cl ? 3 : 4;
    }
    uint32_t mask = 0xFF000000u;
    while ((k[cut] & mask) <= k[cut - 1])
      mask |= mask >> 8;
    *sep = k[cut] & mask;
    right->next = n->next;
    n->next = page;
    fill(right, k + cut, v + cut, BN_FANOUT + 1 - cut);
  }
  fill(n, k, v, cut);
  return 2;
}
