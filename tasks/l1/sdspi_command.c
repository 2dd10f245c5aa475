/* SD card in SPI mode: one command, one answer. Data blocks are handled by the caller. */

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define CMD_GO_IDLE       0
#define CMD_SEND_IF_COND  8
#define CMD_STOP          12
#define CMD_SET_WRPROT    28
#define CMD_ERASE         38
#define CMD_APP           55
#define CMD_READ_OCR      58

#define R1_IDLE           0x01
#define R1_ILLEGAL        0x04
#define R1_CRC            0x08

#define ST_IDLE           0x01
#define ST_ILLEGAL        0x02
#define ST_CRC            0x04
#define ST_ANSWER_BITS    (ST_IDLE | ST_ILLEGAL | ST_CRC)

#define ANSWER_TRIES      10
#define BUSY_TRIES        20

#define SD_TIMEOUT        (-1)
#define SD_BUSY           (-2)

extern uint8_t sd_state;
extern uint8_t sd_spi_xfer(uint8_t out);
extern void sd_chip_select(int on);

/* Check bytes are only looked at before the card has left its native mode. */
static const struct { uint8_t cmd, crc; } KnownCrc[] = {
  { CMD_GO_IDLE, 0x95 },
  { CMD_SEND_IF_COND, 0x87 },
};

static int Transact(uint8_t cmd, uint32_t arg)
{
  uint8_t crc = 0x01;
  uint8_t r1;
  int tries;

  for (size_t k = 0; k < sizeof KnownCrc / sizeof KnownCrc[0]; k++)
    if (KnownCrc[k].cmd == cmd)
      crc = KnownCrc[k].crc;

  sd_spi_xfer(0x40 | cmd);
  for (int shift = 24; shift >= 0; shift -= 8)
    sd_spi_xfer((uint8_t)(arg >> shift));
  sd_spi_xfer(crc);

  if (cmd == CMD_STOP)
    sd_spi_xfer(0xFF);  /* stuff byte: the tail of the block being read */

  for (tries = 0; tries < ANSWER_TRIES; tries++) {
    r1 = sd_spi_xfer(0xFF);
    if (!(r1 & 0x80)) {
      uint8_t st = 0;
      if (r1 & R1_IDLE)
        st |= ST_IDLE;
      if (r1 & R1_ILLEGAL)
        st |= ST_ILLEGAL;
      if (r1 & R1_CRC)
        st |= ST_CRC;
      sd_state = (uint8_t)((sd_state & ~ST_ANSWER_BITS) | st);
      return r1;
    }
  }
  return SD_TIMEOUT;
}

int sdspi_command(uint8_t cmd, uint32_t arg, uint32_t *resp)
{
  int r1;

  sd_chip_select(1);

  if (cmd & 0x80) {
    r1 = Transact(CMD_APP, 0);
    if (r1 < 0 || (r1 & ~R1_IDLE) != 0)
      goto release;
  }
  cmd &= 0x3F;

  r1 = Transact(cmd, arg);
  if (r1 < 0)
    goto release;

  switch (cmd) {
  case CMD_SEND_IF_COND:
  case CMD_READ_OCR: {
    uint32_t word = 0;
    for (int k = 0; k < 4; k++)
      word = (word << 8) | sd_spi_xfer(0xFF);
    *resp = word;
    break;
  }
  case CMD_SET_WRPROT:
  case CMD_ERASE: {
    int polls = 0;
    while (sd_spi_xfer(0xFF) != 0xFF) {
      if (++polls == BUSY_TRIES) {
        r1 = SD_BUSY;
        break;
      }
    }
    break;
  }
  default:
    break;
  }

release:
  sd_chip_select(0);
  sd_spi_xfer(0xFF);  /* eight more clocks let the card release its output */
  return r1;
}
