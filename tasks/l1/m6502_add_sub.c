#include <stdint.h>

struct cpu6502
{
    uint16_t pc;
    uint8_t a, x, y, s;
    union
    {
        uint8_t byte;
        struct
        {
            uint8_t c : 1, z : 1, i : 1, d : 1, b : 1, one : 1, v : 1, n : 1;
        } flag;
    } p;
    uint8_t is_cmos;
    uint32_t cycles;
};

static void set_nz(struct cpu6502 *c, uint8_t value)
{
    c->p.flag.n = value >> 7;
    c->p.flag.z = value == 0;
}

/* ADC with D set. The high digit sees the low one already corrected, and N and V are taken there. */
static uint8_t adc_bcd(struct cpu6502 *c, uint8_t m)
{
    unsigned a = c->a;
    unsigned carry = c->p.flag.c;
    unsigned low = (a & 0x0F) + (m & 0x0F) + carry;
    unsigned sum;

    if (low > 9)
        low = ((low + 6) & 0x0F) | 0x10;
    sum = (a & 0xF0) + (m & 0xF0) + low;

    c->p.flag.n = (sum >> 7) & 1;
    c->p.flag.v = ((a ^ sum) & ~(a ^ m) & 0x80) != 0;
    c->p.flag.z = ((a + m + carry) & 0xFF) == 0;

    if (sum > 0x9F)
        sum += 0x60;
    c->p.flag.c = sum > 0xFF;
    return (uint8_t)sum;
}

/* SBC with D set; the flags were binary and are set already. */
static uint8_t sbc_bcd(const struct cpu6502 *c, uint8_t m, unsigned borrow)
{
    int low = (c->a & 0x0F) - (m & 0x0F) - (int)borrow;
    int diff;

    if (c->is_cmos)
    {
        /* one subtraction, then both digits are put right */
        diff = c->a - m - (int)borrow;
        if (diff < 0)
            diff -= 0x60;
        if (low < 0)
            diff -= 0x06;
        return (uint8_t)diff;
    }
    if (low < 0)
        low = ((low - 6) & 0x0F) - 0x10;
    diff = (c->a & 0xF0) - (m & 0xF0) + low;
    if (diff < 0)
        diff -= 0x60;
    return (uint8_t)diff;
}

void m6502_add_sub(struct cpu6502 *c, uint8_t operand, unsigned subtract)
{
    uint8_t m = subtract ? (uint8_t)~operand : operand;
    unsigned carry = c->p.flag.c;
    uint8_t result;

    c->cycles += 2;

    if (c->p.flag.d && !subtract)
    {
        result = adc_bcd(c, operand);
    }
    else
    {
        unsigned sum = c->a + m + carry;

        result = (uint8_t)sum;
        c->p.flag.c = sum >> 8;
        c->p.flag.v = ((c->a ^ sum) & (m ^ sum) & 0x80) != 0;
        set_nz(c, result);
        if (c->p.flag.d)
            result = sbc_bcd(c, operand, carry ^ 1u);
    }

    if (c->p.flag.d && c->is_cmos)
    {
        set_nz(c, result);
        c->cycles++;
    }
    c->a = result;
}
