#include <stdint.h>
#include <stdbool.h>

/*
 * Four in a row, one bit per cell: column * 7 + row, the seventh row of each
 * column stays empty so that lines do not run from one column into the next.
 */

#define COLS	7
#define COL(c)	(0x3FULL << ((c) * 7))
#define FLOOR	0x0000040810204081ULL
#define BOARD	(FLOOR * 0x3F)

#define WIN	500
#define INF	1000
#define NO_COLUMN 7

extern int rand_tiebreak(unsigned n);

int connect4_best_reply(uint64_t me, uint64_t other, unsigned depth, int alpha, int beta);

static bool four(uint64_t b)
{
	static const uint8_t dir[4] = { 1, 7, 6, 8 };

	for (int i = 0; i < 4; i++) {
		uint64_t two = b & b >> dir[i];

		if (two & two >> 2 * dir[i])
			return true;
	}
	return false;
}

/* free cells that would complete four of b's stones */
static uint64_t open_threes(uint64_t b, uint64_t free)
{
	static const uint8_t dir[3] = { 7, 6, 8 };
	uint64_t t = b << 1 & b << 2 & b << 3;

	for (int i = 0; i < 3; i++) {
		unsigned d = dir[i];
		uint64_t up = b << d & b << 2 * d;
		uint64_t down = b >> d & b >> 2 * d;

		t |= up & (b << 3 * d | b >> d);
		t |= down & (b >> 3 * d | b << d);
	}
	return t & free;
}

static int count(uint64_t b)
{
	int n = 0;

	while (b) {
		b &= b - 1;
		n++;
	}
	return n;
}

int connect4_best_reply(uint64_t me, uint64_t other, unsigned depth, int alpha, int beta)
{
	static const uint8_t order[COLS] = { 3, 2, 4, 1, 5, 0, 6 };
	uint64_t taken, landing, threats, tryable;
	uint8_t best_col[COLS];
	unsigned nbest = 0;
	int best = -INF, t;
	bool root;

	if (alpha > beta) {
		t = alpha;
		alpha = beta;
		beta = t;
	}
	root = alpha == -INF && beta == INF;
	me &= BOARD;
	other &= BOARD & ~me;
	taken = me | other;
	if (depth > 4)
		depth = 4;

	if (four(other)) {
		best = -WIN - (int)depth;
		return root ? best * 8 + NO_COLUMN : best;
	}
	if (taken == BOARD)
		return root ? NO_COLUMN : 0;
	if (depth == 0) {
		best = count(open_threes(me, BOARD & ~taken)) - count(open_threes(other, BOARD & ~taken));
		return root ? best * 8 + NO_COLUMN : best;
	}
	if (root) {
		/* the replies must not take themselves for the root */
		alpha = 1 - INF;
		beta = INF - 1;
	}

	landing = (taken + FLOOR) & BOARD;
	tryable = landing;
	threats = open_threes(me, landing);
	if (threats) {
		tryable = threats;
	} else {
		threats = open_threes(other, landing);
		if (threats)
			tryable = threats & (0 - threats);	/* a second one is lost anyway */
	}

	for (int i = 0; i < COLS; i++) {
		uint64_t move = tryable & COL(order[i]);
		int score;

		if (!move)
			continue;
		/* at the root the window stays open for values equal to the best */
		t = root && best > alpha ? best - 1 : alpha;
		score = -connect4_best_reply(other, me | move, depth - 1, -beta, -t);
		if (score > best) {
			best = score;
			nbest = 0;
		}
		if (score == best)
			best_col[nbest++] = order[i];
		if (root)
			continue;
		if (best > alpha)
			alpha = best;
		if (alpha >= beta)
			break;
	}
	if (!root)
		return best;
	t = best_col[nbest > 1 ? (unsigned)rand_tiebreak(nbest) % nbest : 0];
	return best * 8 + t;
}
