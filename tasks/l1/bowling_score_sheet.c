#include <stddef.h>
#include <stdint.h>

#define FRAMES     10u
#define MAX_ROLLS  21u
#define OPEN       (-1)

struct bowl_stat {
    uint8_t strikes;
    uint8_t spares;
    uint8_t converted;      /* spares after a split */
    uint8_t longest_run;    /* of strikes */
};

extern void lane_display(const char *fmt, ...);

static int reject(unsigned pos, char c)
{
    lane_display("ERR %u '%c'", pos + 1, (unsigned char)c);
    return -(int)pos - 1;
}

int bowling_score_sheet(const char *rolls, unsigned n, int16_t frame_score[10], struct bowl_stat *st)
{
    uint8_t pins[MAX_ROLLS];
    char    mark[MAX_ROLLS];
    uint8_t first[FRAMES];              /* index of the first ball of a frame */
    unsigned count = 0, frame = 0, ball = 0, left = 10, run = 0, finished = 0;
    int fresh = 1, split = 0, was_split = 0, total = 0;

    *st = (struct bowl_stat){ 0, 0, 0, 0 };
    for (unsigned f = 0; f < FRAMES; f++)
        frame_score[f] = OPEN;

    for (unsigned i = 0; i < n; i++) {
        char c = rolls[i];
        unsigned down;

        if (c == ' ')
            continue;
        if (frame == FRAMES)
            return reject(i, c);        /* the game is over */
        if (c == 'S') {
            if (split || !fresh)
                return reject(i, c);
            split = 1;
            continue;
        }
        switch (c) {
        case 'X':
            if (!fresh || split)
                return reject(i, c);
            down = 10;
            st->strikes++;
            break;
        case '/':
            if (fresh)
                return reject(i, c);
            down = left;
            st->spares++;
            st->converted += (uint8_t)was_split;
            break;
        case '-':
        case 'F':
            if (split)
                return reject(i, c);
            down = 0;
            break;
        case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
            down = (unsigned)(c - '0');
            if (down >= left)
                return reject(i, c);
            break;
        default:
            return reject(i, c);
        }

        if (ball == 0)
            first[frame] = (uint8_t)count;
        pins[count] = (uint8_t)down;
        mark[count++] = c;
        run = c == 'X' ? run + 1 : 0;
        if (run > st->longest_run)
            st->longest_run = (uint8_t)run;
        was_split = split;
        split = 0;
        fresh = left == down;
        left = fresh ? 10 : left - down;
        ball++;

        if (frame < FRAMES - 1) {
            if (ball == 2 || c == 'X') {
                frame++;
                ball = 0;
                left = 10;
                fresh = 1;
            }
        } else if (ball == 3 || (ball == 2 && c != '/' && pins[count - 2] != 10)) {
            frame = FRAMES;
        }
    }

    for (unsigned f = 0; f < FRAMES; f++) {
        unsigned at, need;

        if (f == frame && ball == 0)
            break;
        at = first[f];
        need = mark[at] == 'X' || (at + 1 < count && mark[at + 1] == '/') ? 3 : 2;
        if (at + need > count)
            break;                      /* bonus still to come, and so for all behind */
        for (unsigned k = 0; k < need; k++)
            total += pins[at + k];
        frame_score[f] = (int16_t)total;
        finished++;
        lane_display("F%2u %c%c %3d", f + 1, mark[at], mark[at] == 'X' && f < FRAMES - 1 ? ' ' : mark[at + 1], total);
    }
    if (finished == FRAMES)
        lane_display("%s %d", total == 300 ? "PERFECT" : "FINAL", total);
    return (int)finished;
}
