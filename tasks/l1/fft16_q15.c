#include <stdint.h>

typedef int16_t q15;

/* bit reversal of 0..15, two nibbles per byte, low nibble first */
static const uint8_t rev4[8] = { 0x80, 0xC4, 0xA2, 0xE6, 0x91, 0xD5, 0xB3, 0xF7 };

/* cos(k*pi/8), k = 0..4, one is 0x8000 */
static const uint16_t qwave[5] = { 32768, 30274, 23170, 12540, 0 };

static q15 sat(int32_t v)
{
  if (v > 32767) return 32767;
  if (v < -32768) return -32768;
  return (q15)v;
}

static int32_t mulr(int32_t a, int32_t w)
{
  return (a * w + 0x4000) >> 15;
}

/* cosine of j/16 of a turn for j = 0..11 */
static int32_t cos16(unsigned j)
{
  if (j < 4) return qwave[j];
  if (j < 8) return -(int32_t)qwave[8 - j];
  return -(int32_t)qwave[j - 8];
}

int fft16_q15(int16_t *re, int16_t *im, unsigned inverse)
{
  int e = 0;

  for (unsigned i = 0; i < 16; i++) {
    unsigned j = (rev4[i >> 1] >> ((i & 1) * 4)) & 15;
    if (j > i) {
      q15 t = re[i]; re[i] = re[j]; re[j] = t;
      t = im[i]; im[i] = im[j]; im[j] = t;
    }
  }
  if (inverse)
    for (unsigned i = 0; i < 16; i++)
      im[i] = sat(-(int32_t)im[i]);

  for (unsigned half = 1; half < 16; half <<= 1) {
    unsigned loud = 0;
    for (unsigned i = 0; i < 16; i++)
      if (re[i] > 16383 || re[i] < -16383 || im[i] > 16383 || im[i] < -16383)
        loud = 1;
    if (loud) {
      for (unsigned i = 0; i < 16; i++) {
        re[i] = (q15)((re[i] + 1) >> 1);
        im[i] = (q15)((im[i] + 1) >> 1);
      }
      e++;
    }

    for (unsigned k = 0; k < half; k++) {
      unsigned turn = k * (8 / half);
      int32_t c = cos16(turn);
      int32_t s = cos16(turn + 4);     /* minus the sine */
      for (unsigned p = k; p < 16; p += 2 * half) {
        unsigned q = p + half;
        int32_t tr = mulr(re[q], c) - mulr(im[q], s);
        int32_t ti = mulr(re[q], s) + mulr(im[q], c);
        int32_t ar = re[p], ai = im[p];
        re[p] = sat(ar + tr);
        im[p] = sat(ai + ti);
        re[q] = sat(ar - tr);
        im[q] = sat(ai - ti);
      }
    }
  }

  if (inverse)
    for (unsigned i = 0; i < 16; i++)
      im[i] = sat(-(int32_t)im[i]);
  return e;
}
