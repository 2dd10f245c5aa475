/* Colour wheel of the RGBW ceiling lamp. */
#include <stdint.h>

struct rgb8 {
	uint8_t r, g, b;
};

struct rgbw {
	uint8_t r, g, b, w;
	uint8_t flags;
};

#define CLIP_SAT	0x01
#define CLIP_VAL	0x02
#define CLIP_POWER	0x04
#define USED_WHITE	0x08
#define BAD_HUE		0x10

#define WHITE_MIN	0.05f	/* below that the white die flickers */
#define POWER_MAX	1.6f	/* of one fully driven channel */

/* what the warm white die contributes to green and blue, relative to red */
#define WARM_G		0.875f
#define WARM_B		0.625f

static float scaled(float v, float k, uint8_t *flags, uint8_t clip)
{
	v *= k;
	if (v > 1.0f) {
		*flags |= clip;
		return 1.0f;
	}
	return v > 0.0f ? v : 0.0f;
}

static uint8_t to_byte(float v)
{
	return (uint8_t)(v * 255.0f + 0.5f);
}

struct rgbw hsv_adjust_color(struct rgb8 in, float dh, float sat, float val)
{
	struct rgbw out = { 0, 0, 0, 0, 0 };
	const float r = in.r / 255.0f, g = in.g / 255.0f, b = in.b / 255.0f;
	float max = r, min = r, hue = 0.0f, s, v, f, p, q, t, white, total;
	float c[3];
	int i;

	if (g > max)
		max = g;
	if (b > max)
		max = b;
	if (max == 0.0f)
		return out;
	if (g < min)
		min = g;
	if (b < min)
		min = b;

	if (max > min) {
		const float span = max - min;

		if (max == r)
			hue = 60.0f * ((g - b) / span);
		else if (max == g)
			hue = 60.0f * ((b - r) / span + 2.0f);
		else
			hue = 60.0f * ((r - g) / span + 4.0f);
	}
	s = scaled((max - min) / max, sat, &out.flags, CLIP_SAT);
	v = scaled(max, val, &out.flags, CLIP_VAL);

	if (dh > -1080.0f && dh < 1080.0f)
		hue += dh;
	else
		out.flags |= BAD_HUE;
	while (hue < 0.0f)	/* three or four turns at most */
		hue += 360.0f;
	while (hue >= 360.0f)
		hue -= 360.0f;

	i = (int)(hue / 60.0f);
	f = hue / 60.0f - (float)i;
	p = v * (1.0f - s);
	q = v * (1.0f - s * f);
	t = v * (1.0f - s * (1.0f - f));
	switch (i) {
	case 0:
		c[0] = v, c[1] = t, c[2] = p;
		break;
	case 1:
		c[0] = q, c[1] = v, c[2] = p;
		break;
	case 2:
		c[0] = p, c[1] = v, c[2] = t;
		break;
	case 3:
		c[0] = p, c[1] = q, c[2] = v;
		break;
	case 4:
		c[0] = t, c[1] = p, c[2] = v;
		break;
	default:
		c[0] = v, c[1] = p, c[2] = q;
		break;
	}

	/* p is the least of the three */
	white = 0.0f;
	if (p >= WHITE_MIN) {
		white = p;
		c[0] -= white;
		c[1] -= white * WARM_G;
		c[2] -= white * WARM_B;
		out.flags |= USED_WHITE;
	}

	total = c[0] + c[1] + c[2] + white;
	if (total > POWER_MAX) {
		const float k = POWER_MAX / total;

		for (i = 0; i < 3; i++)
			c[i] *= k;
		white *= k;
		out.flags |= CLIP_POWER;
	}
	out.r = to_byte(c[0]);
	out.g = to_byte(c[1]);
	out.b = to_byte(c[2]);
	out.w = to_byte(white);
	return out;
}
