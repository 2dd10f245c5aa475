#include <stdint.h>

#define SCREEN_ROWS   64
#define ROW_BYTES     16
#define MEM_MASK      0x0fff

/* behaviours that differ between the interpreters people wrote games for */
#define QUIRK_WRAP        0x01	/* parts over an edge appear at the other side */
#define QUIRK_COUNT_ROWS  0x02	/* VF counts rows in the large mode */

struct chip8
{
  uint8_t mem[4096];
  uint8_t v[16];
  uint16_t i;
  uint8_t screen[SCREEN_ROWS][ROW_BYTES];
  uint64_t dirty;
  uint8_t large;
  uint8_t quirks;
};

int
chip8_draw_sprite (struct chip8 *c, uint16_t opcode)
{
  int height = c->large ? 64 : 32;
  int row_bytes = c->large ? 16 : 8;
  int x = c->v[(opcode >> 8) & 15] & (row_bytes * 8 - 1);
  int y = c->v[(opcode >> 4) & 15] & (height - 1);
  int rows = opcode & 15;
  int wide = 0, touched = 0, hits = 0, clipped = 0;
  uint16_t addr = c->i;

  if (rows == 0)
    {
      rows = 16;
      wide = c->large != 0;
    }

  for (int r = 0; r < rows; r++)
    {
      uint32_t bits;
      int row = y + r, hit = 0, any = 0;

      bits = (uint32_t) c->mem[addr++ & MEM_MASK] << 16;
      if (wide)
        bits |= (uint32_t) c->mem[addr++ & MEM_MASK] << 8;

      if (row >= height)
        {
          if (!(c->quirks & QUIRK_WRAP))
            {
              clipped++;
              continue;
            }
          row -= height;
        }

      /* up to three bytes of the row, the first at x / 8 */
      bits >>= x & 7;
      for (int k = 0; k < 3; k++)
        {
          uint8_t part = (uint8_t) (bits >> (16 - 8 * k));
          int col = (x >> 3) + k;

          if (col >= row_bytes)
            {
              if (!(c->quirks & QUIRK_WRAP))
                break;
              col -= row_bytes;
            }
          hit |= c->screen[row][col] & part;
          any |= part;
          c->screen[row][col] ^= part;
        }

      if (hit)
        hits++;
      if (any)
        {
          touched++;
          c->dirty |= (uint64_t) 1 << row;
        }
    }

  if (c->large && (c->quirks & QUIRK_COUNT_ROWS))
    c->v[15] = (uint8_t) (hits + clipped);
  else
    c->v[15] = hits != 0;
  return touched;
}
