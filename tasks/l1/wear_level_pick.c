#include <stdint.h>

typedef struct eblock {
        uint32_t erases;
        uint16_t valid, total;          /* pages */
        uint8_t  state;
        uint32_t age;                   /* ticks since the block was closed */
} eblock;

enum {BlkFree, BlkOpen, BlkClosed, BlkBad};

/* more wear spread than this and cold data has to be moved on */
static const uint32_t SpreadLimit = 1500;

static double
benefit(const eblock *e, double meanWear)
{
        double u, s;

        u = (double)e->valid / (double)e->total;
        s = (double)e->age * (1.0 - u) / (2.0 * u);
        if(e->erases > meanWear)
                s /= 1.0 + ((double)e->erases - meanWear) / 64.0;
        return s;
}

static uint32_t
clamp32(double s)
{
        if(s >= 4294967295.0)
                return UINT32_MAX;
        return (uint32_t)s;
}

int
wear_level_pick(const struct eblock *b, unsigned n, uint32_t *score_out)
{
        uint32_t lo = UINT32_MAX, hi = 0;
        uint64_t sum = 0;
        unsigned i, alive = 0;
        int empty = -1, cold = -1, best = -1;
        double mean, s, top = -1.0;

        for(i = 0; i < n; i++){
                if(b[i].state == BlkBad)
                        continue;
                alive++;
                sum += b[i].erases;
                if(b[i].erases < lo)
                        lo = b[i].erases;
                if(b[i].erases > hi)
                        hi = b[i].erases;
                if(b[i].state != BlkClosed || b[i].total == 0)
                        continue;
                if(b[i].valid == 0 && (empty < 0 || b[i].erases < b[empty].erases))
                        empty = (int)i;
                if(cold < 0 || b[i].erases < b[cold].erases)
                        cold = (int)i;
        }
        if(cold < 0)
                return -1;
        if(empty >= 0){
                *score_out = UINT32_MAX;
                return empty;
        }

        mean = (double)sum / (double)alive;
        if(hi - lo > SpreadLimit){
                *score_out = clamp32(benefit(&b[cold], mean));
                return cold;
        }
        for(i = 0; i < n; i++){
                if(b[i].state != BlkClosed || b[i].total == 0)
                        continue;
                s = benefit(&b[i], mean);
                if(s > top){
                        top = s;
                        best = (int)i;
                }
        }
        *score_out = clamp32(top);
        return best;
}
