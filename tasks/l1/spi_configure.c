/*
 * spi_ll.c: clock and frame format of the SPI0 block.
 */
#include <stdint.h>

#define SR_BUSY        (1UL << 7)
#define CR_KEEP_MASK   0xFFFF0000UL   /* slave select routing, owned by pinmux.c */
#define CFG2_THRESH    0x0000001FUL
#define DRAIN_READS    8u
#define PRESC_STEPS    8u

typedef enum
{
    SPI_E_PARAM = -1,
    SPI_E_CLOCK = -2,
    SPI_E_BUSY  = -3
} spi_err_t;

struct spi_cfg
{
    uint32_t max_hz;
    uint8_t  mode;          /* 0..3: bit 1 is CPOL, bit 0 CPHA */
    uint8_t  word_bits;     /* 4..16 */
    uint8_t  lsb_first;
    uint8_t  cs_idle_high;
};

typedef union
{
    uint32_t word;
    struct
    {
        uint32_t cpol  : 1;
        uint32_t cpha  : 1;
        uint32_t presc : 3;
        uint32_t lsb   : 1;
        uint32_t bits  : 4;
        uint32_t csinv : 1;
        uint32_t en    : 1;
        uint32_t       : 20;
    } f;
} spi_cr_t;

extern volatile struct
{
    uint32_t cr;
    uint32_t sr;
    uint32_t txdr;
    uint32_t rxdr;
    uint32_t cfg2;
} SPI0;

int spi_configure(const struct spi_cfg *cfg, uint32_t bus_hz)
{
    spi_cr_t cr;
    uint32_t p;
    uint32_t reads;
    uint32_t cfg2;

    if (cfg->mode > 3u || cfg->word_bits < 4u || cfg->word_bits > 16u)
    {
        return SPI_E_PARAM;
    }

    /* fastest clock that the slave can take: bus / 2, / 4 .. / 256 */
    for (p = 0u; p < PRESC_STEPS; p++)
    {
        if ((uint64_t)bus_hz <= ((uint64_t)cfg->max_hz << (p + 1u)))
        {
            break;
        }
    }
    if (p == PRESC_STEPS)
    {
        return SPI_E_CLOCK;
    }

    cr.word    = 0u;
    cr.f.cpol  = (cfg->mode >> 1) & 1u;
    cr.f.cpha  = cfg->mode & 1u;
    cr.f.presc = p;
    cr.f.lsb   = (cfg->lsb_first != 0u);
    cr.f.bits  = cfg->word_bits - 1u;
    cr.f.csinv = (cfg->cs_idle_high == 0u);

    /* the format may only change while the block is off and idle */
    {
        spi_cr_t off;

        off.word = SPI0.cr;
        off.f.en = 0u;
        SPI0.cr  = off.word;
        cr.word |= off.word & CR_KEEP_MASK;
    }
    for (reads = 0u; (SPI0.sr & SR_BUSY) != 0u; reads++)
    {
        if (reads == DRAIN_READS)
        {
            return SPI_E_BUSY;
        }
        (void)SPI0.rxdr;
    }

    cfg2 = SPI0.cfg2 & ~CFG2_THRESH;
    cfg2 |= (cfg->word_bits > 8u) ? 7u : 15u;   /* FIFO half full, in words less one */
    SPI0.cfg2 = cfg2;
    SPI0.txdr = cr.f.lsb ? 0u : 0xFFFFu << cfg->word_bits;

    SPI0.cr = cr.word;
    cr.f.en = 1u;
    SPI0.cr = cr.word;

    return (int)((bus_hz >> (p + 1u)) / 1000u);
}
