#include <stdint.h>
#include <stdbool.h>

#define WELL_ROWS     22
#define VISIBLE_ROWS  20
#define WALLS         0xE007u       // ten columns in bits 3..12
#define FULL_ROW      0xFFFFu
#define SCORE_MAX     9999999u
#define PIECE_T       2u

enum Sfx { SFX_LOCK = 1, SFX_KICK, SFX_SPIN, SFX_LINES, SFX_GARBAGE = 10, SFX_OVER };

struct well {
    uint16_t row[WELL_ROWS];        // row[0] is the lowest
    uint8_t  pending;               // garbage rows sent by the opponent
    uint8_t  combo;
    bool     backToBack;
    bool     over;
    uint16_t lines;
    uint32_t score;
    uint32_t best;
    uint32_t seed;
};

extern void sfx_play(unsigned id);
extern uint32_t hiscore_submit(uint32_t score);

// One nibble a row, the low nibble is the lowest row of the 4x4 box.
static const uint16_t shapes[7][4] = {
    { 0x0F00, 0x4444, 0x00F0, 0x2222 },     // I
    { 0x0660, 0x0660, 0x0660, 0x0660 },     // O
    { 0x0270, 0x0262, 0x0072, 0x0232 },     // T
    { 0x0630, 0x0132, 0x0063, 0x0264 },     // S
    { 0x0360, 0x0231, 0x0036, 0x0462 },     // Z
    { 0x0470, 0x0322, 0x0071, 0x0226 },     // J
    { 0x0170, 0x0223, 0x0074, 0x0622 },     // L
};
// first as it is, then the five kicks
static const int8_t kicks[6][2] = { { 0, 0 }, { -1, 0 }, { 1, 0 }, { 0, 1 }, { -1, -1 }, { 2, 0 } };

static uint32_t solidAt(const struct well *w, int y)
{
    if (y < 0)
        return 0xFFFFFFFFu;
    if (y >= WELL_ROWS)
        return 0xFFFF0000u | WALLS;
    return 0xFFFF0000u | w->row[y];
}

static bool fits(const struct well *w, uint16_t shape, int x, int y)
{
    if (x < -3 || x > 12)
        return false;
    for (; shape != 0; shape >>= 4, y++)
        if ((shape & 0xFu) << (x + 3) & solidAt(w, y))
            return false;
    return true;
}

static int gameOver(struct well *w)
{
    w->over = true;
    sfx_play(SFX_OVER);
    w->best = hiscore_submit(w->score);
    return -1;
}

static void award(struct well *w, int lines, bool spin)
{
    static const uint16_t plain[5] = { 0, 100, 300, 500, 800 };
    static const uint16_t spun[5] = { 400, 800, 1200, 1600, 1600 };
    uint32_t level = w->lines / 10u + 1u;
    uint32_t points = spin ? spun[lines] : plain[lines];

    if (lines == 0) {
        w->combo = 0;
    } else {
        bool hard = spin || lines == 4;

        if (hard && w->backToBack)
            points += points / 2;
        w->backToBack = hard;
        points += 50u * w->combo;
        if (w->combo < 20)
            w->combo++;
        w->lines += (uint16_t)lines;
    }
    points *= level > 30 ? 30 : level;
    w->score = points > SCORE_MAX - w->score ? SCORE_MAX : w->score + points;
}

int tetris_lock_piece(struct well *w, unsigned piece, unsigned rot, int x, int y)
{
    uint16_t shape;
    int lines = 0, to = 0, corners = 0, kick = 0;
    bool spin, out = false;

    if (piece > 6)
        return -2;
    if (w->over)
        return -1;
    shape = shapes[piece][rot & 3];

    while (kick < 6 && !fits(w, shape, x + kicks[kick][0], y + kicks[kick][1]))
        kick++;
    if (kick == 6)
        return gameOver(w);
    x += kicks[kick][0];
    y += kicks[kick][1];
    if (kick > 0)
        sfx_play(SFX_KICK);

    for (int i = 0; shape >> 4 * i != 0; i++) {
        uint16_t bits = (uint16_t)((shape >> 4 * i & 0xF) << (x + 3));

        if (bits == 0)
            continue;                   // may lie below the floor
        if (y + i < WELL_ROWS)
            w->row[y + i] |= bits;
        else
            out = true;
    }
    if (piece == PIECE_T)
        for (int i = 0; i < 4; i++)
            corners += solidAt(w, y + (i & 2)) >> (x + 3 + 2 * (i & 1)) & 1;
    spin = corners >= 3;
    sfx_play(spin ? SFX_SPIN : SFX_LOCK);

    for (int from = 0; from < WELL_ROWS; from++) {
        if (w->row[from] == FULL_ROW)
            lines++;
        else
            w->row[to++] = w->row[from];
    }
    while (to < WELL_ROWS)
        w->row[to++] = WALLS;
    if (lines > 4)
        lines = 4;                  // only after a damaged save game
    award(w, lines, spin);

    if (lines > 0) {
        sfx_play(SFX_LINES + (unsigned)lines - 1);
        // an attack of ours first eats up what is on its way to us
        w->pending = w->pending > lines ? (uint8_t)(w->pending - lines) : 0;
    } else if (w->pending > 0) {
        int rise = w->pending > 4 ? 4 : w->pending;

        for (int i = WELL_ROWS - rise; i < WELL_ROWS; i++)
            out |= w->row[i] != WALLS;
        for (int i = WELL_ROWS - 1; i >= rise; i--)
            w->row[i] = w->row[i - rise];
        for (int i = 0; i < rise; i++) {
            w->seed = w->seed * 1664525u + 1013904223u;
            w->row[i] = (uint16_t)(FULL_ROW & ~(1u << (3 + (w->seed >> 16) % 10)));
        }
        w->pending -= (uint8_t)rise;
        sfx_play(SFX_GARBAGE);
    }

    for (int i = VISIBLE_ROWS; i < WELL_ROWS; i++)
        out |= w->row[i] != WALLS;
    return out ? gameOver(w) : lines;
}
