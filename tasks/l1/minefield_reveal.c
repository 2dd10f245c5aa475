#include <stdint.h>
#include <stdbool.h>

enum
{
    MF_MAX_W = 12, MF_MAX_H = 10, MF_DEPTH = 40, MF_PENDING = 32,

    /* a cell; the number of mines around it is in the upper nibble */
    CELL_MINE = 1, CELL_FLAG = 2, CELL_QUERY = 4, CELL_OPEN = 8,

    GAME_NEW = 0, GAME_ON, GAME_LOST, GAME_WON
};

struct mines
{
    uint8_t w, h;
    uint8_t state;
    uint8_t flags;                      /* set by the player */
    uint8_t cell[MF_MAX_H][MF_MAX_W];
    uint8_t npending, dropped;
    uint8_t pending[MF_PENDING];        /* y * 16 + x */
};

struct box
{
    int x0, y0, x1, y1;
};

/* the cell and its neighbours, cut at the border */
static struct box around(const struct mines *m, int x, int y)
{
    struct box b;

    b.x0 = x > 0 ? x - 1 : 0;
    b.y0 = y > 0 ? y - 1 : 0;
    b.x1 = x + 1 < m->w ? x + 1 : x;
    b.y1 = y + 1 < m->h ? y + 1 : y;
    return b;
}

static void add_around(struct mines *m, int x, int y, int by)
{
    const struct box b = around(m, x, y);

    for (int j = b.y0; j <= b.y1; j++)
        for (int i = b.x0; i <= b.x1; i++)
            if (i != x || j != y)
                m->cell[j][i] = (uint8_t)(m->cell[j][i] + 16 * by);
}

/* nobody loses with the first click */
static void move_mine(struct mines *m, int x, int y)
{
    for (int j = 0; j < m->h; j++)
        for (int i = 0; i < m->w; i++)
            if (!(m->cell[j][i] & CELL_MINE))
            {
                m->cell[j][i] |= CELL_MINE;
                m->cell[y][x] &= (uint8_t)~CELL_MINE;
                add_around(m, x, y, -1);
                add_around(m, i, j, 1);
                return;
            }
}

static unsigned open_cell(struct mines *m, int x, int y, unsigned depth)
{
    unsigned opened = 1;
    uint8_t *c = &m->cell[y][x];

    if (*c & (CELL_OPEN | CELL_FLAG))
        return 0;
    if (depth >= MF_DEPTH)
    {
        if (m->npending < MF_PENDING)
            m->pending[m->npending++] = (uint8_t)(y * 16 + x);
        else
            m->dropped++;
        return 0;
    }
    *c = (uint8_t)((*c & ~CELL_QUERY) | CELL_OPEN);
    if (*c & CELL_MINE)
    {
        m->state = GAME_LOST;
        return 1;
    }
    if (*c >> 4 == 0)
    {
        const struct box b = around(m, x, y);

        for (int j = b.y0; j <= b.y1; j++)
            for (int i = b.x0; i <= b.x1; i++)
                opened += open_cell(m, i, j, depth + 1);
    }
    return opened;
}

/* flag and query together mark a wrong flag */
static void show_wrong_flags(struct mines *m)
{
    for (int j = 0; j < m->h; j++)
        for (int i = 0; i < m->w; i++)
        {
            uint8_t wrong = (m->cell[j][i] & (CELL_FLAG | CELL_MINE)) == CELL_FLAG;

            m->cell[j][i] |= (uint8_t)(wrong * CELL_QUERY);
            m->flags -= wrong;
        }
}

static bool all_safe_open(const struct mines *m)
{
    for (int j = 0; j < m->h; j++)
        for (int i = 0; i < m->w; i++)
            if (!(m->cell[j][i] & (CELL_MINE | CELL_OPEN)))
                return false;
    return true;
}

static void win(struct mines *m)
{
    m->state = GAME_WON;
    for (int j = 0; j < m->h; j++)
        for (int i = 0; i < m->w; i++)
            if ((m->cell[j][i] & (CELL_MINE | CELL_FLAG)) == CELL_MINE)
            {
                m->cell[j][i] = (uint8_t)((m->cell[j][i] & ~CELL_QUERY) | CELL_FLAG);
                m->flags++;
            }
}

unsigned minefield_reveal(struct mines *m, int x, int y)
{
    unsigned opened = 0, flagged = 0;

    if (x < 0 || y < 0 || x >= m->w || y >= m->h || m->state > GAME_ON)
        return 0;
    if (m->state == GAME_NEW)
    {
        m->state = GAME_ON;
        if (m->cell[y][x] & CELL_MINE)
            move_mine(m, x, y);
    }
    m->npending = 0;
    m->dropped = 0;

    if (m->cell[y][x] & CELL_OPEN)
    {
        /* chord: an open number with its flags set opens all other neighbours */
        const struct box b = around(m, x, y);

        for (int j = b.y0; j <= b.y1; j++)
            for (int i = b.x0; i <= b.x1; i++)
                if (m->cell[j][i] & CELL_FLAG)
                    flagged++;
        if (flagged != (unsigned)(m->cell[y][x] >> 4))
            return 0;
        for (int j = b.y0; j <= b.y1; j++)
            for (int i = b.x0; i <= b.x1; i++)
                opened += open_cell(m, i, j, 1);
    }
    else
    {
        opened = open_cell(m, x, y, 0);
    }
    /* the list may grow while it is worked off */
    for (unsigned k = 0; k < m->npending; k++)
        opened += open_cell(m, m->pending[k] & 15, m->pending[k] >> 4, 1);

    if (m->state == GAME_LOST)
        show_wrong_flags(m);
    else if (all_safe_open(m))
        win(m);
    return opened;
}
