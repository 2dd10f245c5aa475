#include <stdint.h>

#define DE_PIN            17u
#define ECHO_TIMEOUT_US   2000u
#define JAM_LENGTH        3
#define BACKOFF_MIN_US    100u
#define BACKOFF_MAX_US    50000u

#define SEND_CHECK_ECHO   0x1u
#define SEND_APPEND_SUM   0x2u

extern uint16_t rs485_setup_us;
extern uint32_t rs485_backoff_us;

extern void gpio_write(unsigned pin, int level);
extern void rs485_putc(uint8_t c);
extern int  rs485_getc(unsigned timeout_us);
extern void delay_us(unsigned us);

/*
 * Returns the number of bytes that went out, -(i + 1) if byte i collided,
 * or -(i + 0x100) if its echo never came back (bus shorted or unpowered;
 * jamming would not help then, and nobody else is talking either).
 */
int rs485_send_frame(const uint8_t *data, unsigned len, unsigned flags)
{
    unsigned total = len + ((flags & SEND_APPEND_SUM) ? 1u : 0u);
    uint8_t  sum   = 0;
    unsigned i;
    int      status;

    gpio_write(DE_PIN, 1);
    if (rs485_setup_us != 0)
        delay_us(rs485_setup_us);

    for (i = 0; i < total; i++)
    {
        uint8_t c;

        if (i < len)
        {
            c = data[i];
            sum = (uint8_t)(sum + c);
        }
        else
        {
            c = (uint8_t)-sum;
        }
        rs485_putc(c);

        if (flags & SEND_CHECK_ECHO)
        {
            int echo = rs485_getc(ECHO_TIMEOUT_US);

            if (echo < 0)
            {
                status = -(int)(i + 0x100u);
                goto release;
            }
            if (echo != (int)c)
            {
                status = -(int)(i + 1u);
                goto collision;
            }
        }
    }

    status = (int)total;
    rs485_backoff_us /= 2;
    if (rs485_backoff_us < BACKOFF_MIN_US)
        rs485_backoff_us = BACKOFF_MIN_US;
    goto release;

collision:
    for (int k = 0; k < JAM_LENGTH; k++)
        rs485_putc(0x00);
    if (rs485_backoff_us >= BACKOFF_MAX_US / 2)
        rs485_backoff_us = BACKOFF_MAX_US;
    else
        rs485_backoff_us *= 2;

release:
    gpio_write(DE_PIN, 0);
    return status;
}
