#include <stdint.h>

#define CHECK_BITS_MASK     (0x7FU)
#define OVERALL_BIT         (0x40U)
#define DATA_BITS           (32U)

struct ecc_stat
{
    uint16_t data_fixed;
    uint16_t check_fixed;
    uint16_t fatal;
    uint8_t  last_bit;      /* data bit repaired most recently */
    uint8_t  leak;          /* grows while the same bit fails again and again */
};

/* Data bits that take part in check bit n. */
static const uint32_t parity_mask[6] =
{
    0x56AAAD5BU, 0x9B33366DU, 0xE3C3C78EU, 0x03FC07F0U, 0x03FFF800U, 0xFC000000U
};

/* Code positions run 1, 2, 3 ... with a check bit at each power of two; this is
   the first data bit behind the check bit of the same number. */
static const uint8_t first_data[6] = { 0U, 0U, 1U, 4U, 11U, 26U };

static uint32_t fold_parity(uint32_t v)
{
    uint32_t x = v;

    x ^= x >> 16U;
    x ^= x >> 8U;
    x ^= x >> 4U;
    return (0x6996U >> (x & 0x0FU)) & 1U;
}

static void bump(uint16_t *counter)
{
    if (*counter < UINT16_MAX)
    {
        *counter = (uint16_t)(*counter + 1U);
    }
}

/* SM-ECC-04: scrub step for one word of the protected RAM. */
int secded_word_repair(uint32_t *word, uint8_t *check, struct ecc_stat *st)
{
    const uint32_t data   = *word;
    const uint32_t stored = (uint32_t)*check & CHECK_BITS_MASK;
    uint32_t syndrome = stored & ~OVERALL_BIT;
    uint32_t odd;
    uint32_t n;
    int result;

    for (n = 0U; n < 6U; n++)
    {
        syndrome ^= fold_parity(data & parity_mask[n]) << n;
    }
    odd = fold_parity(data) ^ fold_parity(stored);

    if (syndrome == 0U)
    {
        if (odd == 0U)
        {
            result = 0;
        }
        else
        {
            *check = (uint8_t)(stored ^ OVERALL_BIT);
            bump(&st->check_fixed);
            result = 3;
        }
    }
    else if (odd == 0U)
    {
        bump(&st->fatal);
        result = -1;
    }
    else
    {
        uint32_t top = 5U;
        uint32_t place;

        while ((syndrome >> top) == 0U)
        {
            top--;
        }
        place = first_data[top] + (syndrome - (1U << top)) - 1U;

        if (syndrome == (1U << top))
        {
            *check = (uint8_t)(stored ^ syndrome);
            bump(&st->check_fixed);
            result = 2;
        }
        else if (place >= DATA_BITS)
        {
            bump(&st->fatal);
            result = -2;
        }
        else
        {
            *word = data ^ (1U << place);
            bump(&st->data_fixed);
            if (st->last_bit == place)
            {
                if (st->leak < UINT8_MAX)
                {
                    st->leak++;
                }
            }
            else
            {
                st->leak = (uint8_t)(st->leak >> 1U);
                st->last_bit = (uint8_t)place;
            }
            result = 1;
        }
    }

    return result;
}
