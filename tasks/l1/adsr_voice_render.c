// Voice renderer of the toy keyboard. One call adds one voice to the mix buffer.
#include <stdint.h>

enum wave { WAVE_SAW, WAVE_PULSE, WAVE_TRI, WAVE_TABLE, WAVE_NOISE };
enum stage { ENV_OFF, ENV_ATTACK, ENV_DECAY, ENV_SUSTAIN, ENV_RELEASE };

#define FRAME       64u
#define ENV_TOP     0x7FFFFFFFu
#define DECAY_NEAR  0x00010000u

struct voice {
  uint32_t   phase;
  uint32_t   inc;
  uint32_t   width;        // pulse high while phase < width
  uint32_t   lfsr;         // 17 bits used
  uint32_t   level;        // Q31
  uint32_t   attackInc;
  uint32_t   decayMul;     // Q31, per sample
  uint32_t   sustain;      // Q31
  uint32_t   releaseMul;   // Q31, per sample
  uint32_t   silent;       // release ends below this level
  enum stage stage;
  uint8_t    wave;
  uint8_t    velocity;     // MIDI, 0..127
  uint8_t    sync;         // nonzero: restart with the master oscillator
};

// Set by the master voice's render pass, one flag per sample of the frame.
extern volatile uint8_t MASTER_WRAP[FRAME];

static const int16_t sineTable[64] = {
       0,   3212,   6393,   9512,  12539,  15446,  18204,  20787,
   23170,  25329,  27245,  28898,  30273,  31356,  32137,  32609,
   32767,  32609,  32137,  31356,  30273,  28898,  27245,  25329,
   23170,  20787,  18204,  15446,  12539,   9512,   6393,   3212,
       0,  -3212,  -6393,  -9512, -12539, -15446, -18204, -20787,
  -23170, -25329, -27245, -28898, -30273, -31356, -32137, -32609,
  -32767, -32609, -32137, -31356, -30273, -28898, -27245, -25329,
  -23170, -20787, -18204, -15446, -12539,  -9512,  -6393,  -3212,
};

static uint32_t mulQ31(uint32_t a, uint32_t b) {
  return (uint32_t)(((uint64_t)a * b) >> 31);
}

// Returns 0 when the voice has died.
static int stepEnvelope(struct voice *v) {
  switch (v->stage) {
  case ENV_ATTACK:
    if (v->attackInc >= ENV_TOP - v->level) {
      v->level = ENV_TOP;
      v->stage = ENV_DECAY;
    } else {
      v->level += v->attackInc;
    }
    return 1;
  case ENV_DECAY:
    if (v->level <= v->sustain || v->level - v->sustain < DECAY_NEAR) {
      v->level = v->sustain;
      v->stage = ENV_SUSTAIN;
    } else {
      v->level = v->sustain + mulQ31(v->level - v->sustain, v->decayMul);
    }
    return 1;
  case ENV_SUSTAIN:
    return 1;
  case ENV_RELEASE:
    v->level = mulQ31(v->level, v->releaseMul);
    if (v->level >= v->silent)
      return 1;
    v->level = 0;
    v->stage = ENV_OFF;
    return 0;
  default:
    return 0;
  }
}

unsigned adsr_voice_render(struct voice *v, int16_t *mix, unsigned n) {
  unsigned i;

  if (n > FRAME)
    n = FRAME;
  if (v->level > ENV_TOP)
    v->level = ENV_TOP;
  if (v->sustain > ENV_TOP)
    v->sustain = ENV_TOP;

  for (i = 0; i < n; i++) {
    if (!stepEnvelope(v))
      break;

    int32_t s = 0;
    switch (v->wave) {
    case WAVE_SAW:
      s = (int32_t)(v->phase >> 16) - 32768;
      break;
    case WAVE_PULSE:
      s = v->phase < v->width ? 32767 : -32767;
      break;
    case WAVE_TRI: {
      uint32_t half = v->phase & 0x80000000u ? ~v->phase : v->phase;
      s = (int32_t)(half >> 15) - 32768;
      break;
    }
    case WAVE_TABLE: {
      uint32_t at = v->phase >> 26;
      int32_t frac = (int32_t)((v->phase >> 11) & 0x7FFF);
      int32_t a = sineTable[at], b = sineTable[(at + 1) & 63];
      s = a + (b - a) * frac / 32768;
      break;
    }
    case WAVE_NOISE:
      s = (int32_t)((v->lfsr >> 1) & 0xFFFF) - 32768;
      break;
    }

    int32_t amp = (int32_t)(v->level >> 16);
    s = s * amp / 32768;
    s = s * v->velocity / 128;
    s += mix[i];
    if (s > 32767)
      s = 32767;
    else if (s < -32768)
      s = -32768;
    mix[i] = (int16_t)s;

    uint32_t was = v->phase;
    v->phase += v->inc;
    if (v->phase < was) {
      // x^17 + x^14 + 1; all zeros would stay there for ever
      uint32_t r = v->lfsr & 0x1FFFF;
      v->lfsr = r ? (r >> 1) | (((r ^ (r >> 3)) & 1) << 16) : 1;
    }
    if (v->sync && MASTER_WRAP[i])
      v->phase = 0;
  }
  return i;
}
