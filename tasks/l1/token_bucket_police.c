#include <stdint.h>
#include <stdbool.h>

#define NSEC_PER_SEC  1000000000ull
#define MAX_GAP_NS    (10ull * NSEC_PER_SEC)
#define NEVER         UINT64_MAX

enum { GREEN, YELLOW, RED };

struct bucket
{
    uint64_t stamp_ns;
    uint32_t cir, pir;          /* bytes per second */
    uint32_t cbs, pbs;          /* bytes */
    uint32_t ctok, ptok;
    uint32_t cfrac, pfrac;      /* byte * ns that did not make a byte, < 1e9 */
    uint8_t  color_aware;
    uint8_t  hits[3];
};

struct shape_result
{
    uint8_t  color;
    uint64_t wait_ns;
    uint32_t deficit;
};

/* 1e10 ns * 2^30 B/s still fits 64 bits */
static void refill(uint64_t ns, uint32_t rate, uint32_t burst, uint32_t *tok, uint32_t *frac)
{
    const uint64_t grown = ns * rate + *frac;
    const uint64_t level = *tok + grown / NSEC_PER_SEC;

    if (level >= burst) {
        *tok = burst;
        *frac = 0;
    } else {
        *tok = (uint32_t)level;
        *frac = (uint32_t)(grown % NSEC_PER_SEC);
    }
}

struct shape_result token_bucket_police(struct bucket *b, uint64_t now_ns, uint32_t bytes, unsigned color)
{
    struct shape_result res = { GREEN, 0, 0 };

    if (now_ns > b->stamp_ns) {
        uint64_t gap = now_ns - b->stamp_ns;

        if (gap > MAX_GAP_NS)
            gap = MAX_GAP_NS;
        refill(gap, b->cir, b->cbs, &b->ctok, &b->cfrac);
        refill(gap, b->pir, b->pbs, &b->ptok, &b->pfrac);
        b->stamp_ns = now_ns;
    }

    if (b->color_aware && color != GREEN)
        res.color = color == YELLOW ? YELLOW : RED;

    if (bytes > b->ctok) {
        res.deficit = bytes - b->ctok;
        if (b->cir == 0 || bytes > b->cbs) {
            res.wait_ns = NEVER;
        } else {
            const uint64_t need = res.deficit * NSEC_PER_SEC - b->cfrac;
            res.wait_ns = need / b->cir + (need % b->cir != 0);
        }
    }

    if (res.color == RED || bytes > b->ptok) {
        res.color = RED;
    } else {
        if (res.deficit)
            res.color = YELLOW;
        b->ptok -= bytes;
        if (res.color == GREEN)
            b->ctok -= bytes;
    }

    if (b->hits[res.color] != UINT8_MAX)
        b->hits[res.color]++;
    return res;
}
