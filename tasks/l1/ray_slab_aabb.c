#include <stdint.h>
#include <float.h>

struct ray {
	float org[3];
	float dir[3];
	float tmax;
	uint32_t mask;
};

struct aabb {
	float lim[2][3];	// [0] lower, [1] upper corner
	uint32_t mask;
	uint32_t flags;
};

#define BOX_TWO_SIDED 0x1u
#define DIR_EPS 1e-12f

// Picking and line of sight for the static props. Returns box | face << 8, face
// being 2 * axis for a lower and 2 * axis + 1 for an upper side, or -1.
int ray_slab_aabb(const struct ray *r, const struct aabb *boxes, unsigned n, float *tmin_out)
{
	float best = r->tmax;
	int found = -1;

	for (unsigned i = 0; i < n; ++i) {
		const struct aabb *box = &boxes[i];
		float enter = -FLT_MAX, leave = FLT_MAX;
		int enterFace = 0, leaveFace = 0;
		int axis;

		if ((box->mask & r->mask) != r->mask)
			continue;

		for (axis = 0; axis < 3; ++axis) {
			const float o = r->org[axis];
			const float d = r->dir[axis];

			if (d < DIR_EPS && d > -DIR_EPS) {
				if (o < box->lim[0][axis] || o > box->lim[1][axis])
					break;
				continue;
			}

			const int back = d < 0.0f;	// meets the upper side first
			const float t0 = (box->lim[back][axis] - o) / d;
			const float t1 = (box->lim[!back][axis] - o) / d;
			if (t0 > enter) {
				enter = t0;
				enterFace = 2 * axis + back;
			}
			if (t1 < leave) {
				leave = t1;
				leaveFace = 2 * axis + !back;
			}
			if (enter > leave)
				break;
		}
		if (axis < 3 || leave < 0.0f)
			continue;

		float t = enter;
		int face = enterFace;
		if (t < 0.0f) {
			// we are in it
			t = 0.0f;
			if (box->flags & BOX_TWO_SIDED) {
				t = leave;
				face = leaveFace;
			}
		}
		if (t < best) {
			best = t;
			found = (int)i | face << 8;
		}
	}

	if (found >= 0)
		*tmin_out = best;
	return found;
}
