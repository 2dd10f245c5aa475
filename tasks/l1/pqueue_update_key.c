#include <stdint.h>

/* Deadline queue: a heap with four children a node, and where each id stands in it. */

#define PQ_MAX  60
#define PQ_IDS  64
#define ABSENT  0xFF

struct pq {
  uint8_t  heap[PQ_MAX];
  uint8_t  pos[PQ_IDS];
  int32_t  key[PQ_IDS];
  uint16_t stamp[PQ_IDS];
  uint8_t  n;
  uint16_t next_stamp;
};

static int earlier(const struct pq *q, uint8_t a, uint8_t b)
{
  if (q->key[a] != q->key[b])
    return q->key[a] < q->key[b];
  return (int16_t)(uint16_t)(q->stamp[a] - q->stamp[b]) < 0;
}

static void place(struct pq *q, unsigned at, uint8_t id)
{
  q->heap[at] = id;
  q->pos[id] = (uint8_t)at;
}

static unsigned rise(struct pq *q, unsigned at, uint8_t id)
{
  while (at > 0)
  {
    unsigned up = (at - 1) >> 2;
    if (!earlier(q, id, q->heap[up]))
      break;
    place(q, at, q->heap[up]);
    at = up;
  }
  place(q, at, id);
  return at;
}

static unsigned sink(struct pq *q, unsigned at, uint8_t id)
{
  for (;;)
  {
    unsigned child = (at << 2) + 1;
    unsigned end = child + 4 < q->n ? child + 4 : q->n;
    if (child >= end)
      break;
    unsigned best = child;
    while (++child < end)
    {
      if (earlier(q, q->heap[child], q->heap[best]))
        best = child;
    }
    if (!earlier(q, q->heap[best], id))
      break;
    place(q, at, q->heap[best]);
    at = best;
  }
  place(q, at, id);
  return at;
}

/* INT32_MIN takes the id out and returns where it stood. */
int pqueue_update_key(struct pq *q, uint8_t id, int32_t key)
{
  if (id >= PQ_IDS || q->n > PQ_MAX)
    return -1;

  unsigned at = q->pos[id];

  if (key == INT32_MIN)
  {
    if (at == ABSENT)
      return -1;
    uint8_t last = q->heap[--q->n];
    q->pos[id] = ABSENT;
    if (last != id && rise(q, at, last) == at)
      sink(q, at, last);
    return (int)at;
  }

  if (at == ABSENT)
  {
    if (q->n == PQ_MAX)
      return -1;
    q->key[id] = key;
    q->stamp[id] = q->next_stamp++;
    return (int)rise(q, q->n++, id);
  }

  int32_t old = q->key[id];
  q->key[id] = key;
  if (key > old)
  {
    q->stamp[id] = q->next_stamp++;
    return (int)sink(q, at, id);
  }
  return key < old ? (int)rise(q, at, id) : (int)at;
}
