#include <stdint.h>

/* One bit cell = 16 samples. A light pulse is 3/16 of it, samples 7, 8, 9. */
enum { CELL_BYTES = 2, PULSE_AT = 7, PULSE_LEN = 3, FRAME_CELLS = 10 };

/* extra BOF and BOF: receivers want a rest after these */
#define SIR_BOF  0xC0
#define SIR_XBOF 0xC1

typedef uint8_t  u8;
typedef uint16_t u16;

static u16 sir_cell(unsigned bit)
{
  u16 w = 0;
  unsigned s;

  if (bit)
    return 0;
  for (s = PULSE_AT; s < PULSE_AT + PULSE_LEN; s++)
    w |= (u16)(0x8000u >> s);
  return w;
}

unsigned irda_sir_encode(const u8 *src, unsigned len, u8 *pulses, unsigned cap)
{
  unsigned done, at = 0;

  for (done = 0; done < len; done++) {
    unsigned gap = 0, cell;
    unsigned frame;

    if (done > 0 && (src[done - 1] == SIR_BOF || src[done - 1] == SIR_XBOF))
      gap = CELL_BYTES;
    if (cap - at < gap + FRAME_CELLS * CELL_BYTES)
      break;

    if (gap) {
      pulses[at++] = 0;
      pulses[at++] = 0;
    }

    /* start (0), d0 .. d7, stop (1) */
    frame = 0x200u | (unsigned)src[done] << 1;
    for (cell = 0; cell < FRAME_CELLS; cell++) {
      u16 w = sir_cell(frame >> cell & 1u);
      pulses[at++] = (u8)(w >> 8);
      pulses[at++] = (u8)w;
    }
  }
  return done;
}
