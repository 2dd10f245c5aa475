#include <stdint.h>
#include <stdbool.h>

#define HALF_TURN	1800000000LL	/* 180 degrees in 1e-7 */
#define FULL_TURN	(2 * HALF_TURN)
#define RING_BREAK	INT32_MIN

/* 1e-7 degree */
struct geopt {
	int32_t lat;
	int32_t lon;
};

enum fence_side {
	FENCE_OUT = 0,
	FENCE_IN = 1,
	FENCE_NEAR = 2,
};

static int64_t magnitude(int64_t v)
{
	return v < 0 ? -v : v;
}

/*
 * The fence is one outer ring and any number of holes, set apart by vertices
 * with RING_BREAK as latitude. Whoever stands on a border is inside, be it the
 * border of a hole. Leftovers of the map editor (rings of one or two vertices)
 * are skipped.
 *
 * A vehicle outside gets a warning when it is close to a corner, margin is in
 * 1e-7 degree on both axes.
 */
int geofence_contains(const struct geopt *v, unsigned n, struct geopt p, int32_t margin)
{
	bool inside = false;
	bool near = false;
	unsigned start = 0;

	while (start < n) {
		unsigned end = start;

		while (end < n && v[end].lat != RING_BREAK)
			end++;

		if (end - start >= 3) {
			for (unsigned i = start; i < end; i++) {
				const struct geopt *a = &v[i];
				const struct geopt *b = &v[i + 1 < end ? i + 1 : start];
				int64_t a_lon = a->lon, b_lon = b->lon;

				/* Over the date line: continue on the point's own side. */
				if (magnitude(b_lon - a_lon) > HALF_TURN) {
					int64_t *far = (a_lon < 0) == (p.lon < 0) ? &b_lon : &a_lon;

					*far += p.lon < 0 ? -FULL_TURN : FULL_TURN;
				}

				int64_t ax = a_lon - p.lon, ay = (int64_t)a->lat - p.lat;
				int64_t bx = b_lon - p.lon, by = (int64_t)b->lat - p.lat;

				if (ax == 0 && ay == 0)
					return FENCE_IN;
				if (magnitude(ax) <= margin && magnitude(ay) <= margin)
					near = true;

				if ((ay > 0) != (by > 0)) {
					/* latitudes on both sides of the point: the products
					 * add up to less than 6.5e18 */
					int64_t cross = ax * by - bx * ay;

					if (cross == 0)
						return FENCE_IN;
					if ((cross > 0) == (by > ay))
						inside = !inside;
				} else if (ay == 0 && by == 0 && (ax > 0) != (bx > 0)) {
					return FENCE_IN;	/* along a parallel */
				}
			}
		}
		start = end + 1;
	}

	if (inside)
		return FENCE_IN;
	return near ? FENCE_NEAR : FENCE_OUT;
}
