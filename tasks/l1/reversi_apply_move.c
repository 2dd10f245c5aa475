#include <stdint.h>

typedef uint64_t Board;

#define INNER   0x7E7E7E7E7E7E7E7EULL       /* without the files a and h */
#define PASSED  0x100u
#define OVER    0x200u

/* eight rays as two shift directions of four distances */
#define UP(b, n)    ((b) << (n))
#define DOWN(b, n)  ((b) >> (n))

#define RAY(SHIFT, n, from, through, run)       \
    do {                                        \
        run = SHIFT(from, n) & (through);       \
        run |= SHIFT(run, n) & (through);       \
        run |= SHIFT(run, n) & (through);       \
        run |= SHIFT(run, n) & (through);       \
        run |= SHIFT(run, n) & (through);       \
        run |= SHIFT(run, n) & (through);       \
    } while (0)

#define FLIP(SHIFT, n, through)                 \
    do {                                        \
        RAY(SHIFT, n, disc, through, run);      \
        if (SHIFT(run, n) & me)                 \
            flips |= run;                       \
    } while (0)

#define REACH(SHIFT, n, through)                \
    do {                                        \
        RAY(SHIFT, n, me, through, run);        \
        moves |= SHIFT(run, n);                 \
    } while (0)

static Board legalMoves(Board me, Board you)
{
    Board moves = 0, run, wide = you & INNER;

    REACH(UP, 1, wide);
    REACH(DOWN, 1, wide);
    REACH(UP, 8, you);
    REACH(DOWN, 8, you);
    REACH(UP, 7, wide);
    REACH(DOWN, 7, wide);
    REACH(UP, 9, wide);
    REACH(DOWN, 9, wide);
    return moves & ~(me | you);
}

static unsigned discs(Board b)
{
    b -= b >> 1 & 0x5555555555555555ULL;
    b = (b & 0x3333333333333333ULL) + (b >> 2 & 0x3333333333333333ULL);
    b = (b + (b >> 4)) & 0x0F0F0F0F0F0F0F0FULL;
    return (unsigned)(b * 0x0101010101010101ULL >> 56);
}

uint64_t reversi_apply_move(uint64_t *own, uint64_t *opp, unsigned sq, unsigned *mobility)
{
    Board me = *own, you = *opp, disc, run, moves;
    Board flips = 0, wide = you & INNER;

    if (sq > 63)
        return 0;
    disc = 1ULL << sq;
    if ((me | you) & disc)
        return 0;

    FLIP(UP, 1, wide);
    FLIP(DOWN, 1, wide);
    FLIP(UP, 8, you);
    FLIP(DOWN, 8, you);
    FLIP(UP, 7, wide);
    FLIP(DOWN, 7, wide);
    FLIP(UP, 9, wide);
    FLIP(DOWN, 9, wide);
    if (flips == 0)
        return 0;
    me |= flips | disc;
    you &= ~flips;

    moves = legalMoves(you, me);
    if (moves != 0) {
        *own = you;
        *opp = me;
        *mobility = discs(moves);
        return flips;
    }

    /* nothing for the opponent: the same side goes on, if it can */
    *own = me;
    *opp = you;
    moves = legalMoves(me, you);
    if (moves != 0)
        *mobility = PASSED | discs(moves);
    else
        *mobility = OVER | (discs(me) + 64 - discs(you)) << 16;
    return flips;
}
