#include <stdint.h>
#include <float.h>

// Height map lookup for the haptic surface renderer.
// mode: bits 0..1 addressing along u, 2..3 along v, bit 4 nearest texel instead of blending

#define TEX_SIDE   16
#define UV_LIMIT   1000.0f
#define NEAREST    0x10u

enum TexAddress { REPEAT = 0, MIRROR = 1, CLAMP = 2, BORDER = 3 };
enum TexFormat  { HEIGHT8 = 0, PACKED565 = 1 };

struct tex
{
  uint8_t w, h;
  uint8_t format;
  float scale, bias;
  float border;               // used as it is, outside and for bad coordinates
  union
  {
    uint8_t  h8[TEX_SIDE * TEX_SIDE];
    uint16_t p565[TEX_SIDE * TEX_SIDE];
  } px;
};

// weights of the packed channels, to 1
static const float Weight[3] = { 0.296875f, 0.59375f, 0.109375f };

static int floorToInt(float x)
{
  int i = (int)x;
  return (float)i > x ? i - 1 : i;
}

static float limited(float x)
{
  return x > UV_LIMIT ? UV_LIMIT : x < -UV_LIMIT ? -UV_LIMIT : x;
}

// index of the texel in 0..n-1, or -1 for the border
static int address(int i, int n, unsigned how)
{
  int m;
  switch (how & 3u) {
  case REPEAT:
    m = i % n;
    return m < 0 ? m + n : m;
  case MIRROR:
    m = i % (2 * n);
    if (m < 0) m += 2 * n;
    return m < n ? m : 2 * n - 1 - m;
  case CLAMP:
    return i < 0 ? 0 : i >= n ? n - 1 : i;
  default:
    return i < 0 || i >= n ? -1 : i;
  }
}

static float texel(const struct tex *t, int x, int y, unsigned mode)
{
  const int cx = address(x, t->w, mode);
  const int cy = address(y, t->h, mode >> 2);
  float height;

  if (cx < 0 || cy < 0) return t->border;
  if (t->format == PACKED565) {
    const unsigned p = t->px.p565[cy * t->w + cx];
    height = Weight[0] * ((float)(p >> 11) / 31.0f)
           + Weight[1] * ((float)(p >> 5 & 63u) / 63.0f)
           + Weight[2] * ((float)(p & 31u) / 31.0f);
  } else {
    height = (float)t->px.h8[cy * t->w + cx] / 255.0f;
  }
  return height * t->scale + t->bias;
}

// the texel whose centre is next; halfway between two the even one
static int nearest(float x)
{
  const int i = floorToInt(x);
  const float f = x - (float)i;
  return f > 0.5f || (f == 0.5f && (i & 1)) ? i + 1 : i;
}

float texture_sample_bilinear(const struct tex *t, float u, float v, unsigned mode, float *grad)
{
  grad[0] = 0.0f;
  grad[1] = 0.0f;
  if (!(u >= -FLT_MAX && u <= FLT_MAX) || !(v >= -FLT_MAX && v <= FLT_MAX)) return t->border;
  if (t->w == 0 || t->h == 0 || t->w > TEX_SIDE || t->h > TEX_SIDE) return t->border;

  const float x = limited(u) * (float)t->w - 0.5f;
  const float y = limited(v) * (float)t->h - 0.5f;

  if (mode & NEAREST) return texel(t, nearest(x), nearest(y), mode);

  const int ix = floorToInt(x), iy = floorToInt(y);
  const float fx = x - (float)ix, fy = y - (float)iy;
  const float a = texel(t, ix, iy, mode), b = texel(t, ix + 1, iy, mode);
  const float c = texel(t, ix, iy + 1, mode), d = texel(t, ix + 1, iy + 1, mode);
  const float upper = a + (b - a) * fx;
  const float lower = c + (d - c) * fx;

  grad[0] = ((b - a) * (1.0f - fy) + (d - c) * fy) * (float)t->w;
  grad[1] = (lower - upper) * (float)t->h;
  return upper + (lower - upper) * fy;
}
