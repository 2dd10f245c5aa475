/*
 * bus_recover.c - frees an I2C bus on which a slave was cut off in the middle of a byte
 *
 * The slave holds SDA until it has clocked out the rest, so give it clocks.
 */

#define PIN_SCL         0u
#define PIN_SDA         1u
#define PULSES_LIMIT    16
#define STRETCH_LIMIT   8

#define RECOVER_STUCK     (-1)
#define RECOVER_CLOCK_LOW (-2)

extern void i2c_pin_set(unsigned port, unsigned pin, int level);
extern int  i2c_pin_get(unsigned port, unsigned pin);
extern void bus_log(const char *fmt, ...);
extern void wait_quarter_bit(void);
extern void wait_half_bit(void);

typedef void (*wait_fn)(void);

/* odd ports are the 400 kHz ones */
static const wait_fn phase_wait[2] = { wait_half_bit, wait_quarter_bit };

/* -1 if the clock never comes up, else how often we had to wait for it */
static int release_clock(unsigned port, wait_fn wait)
{
    int held;

    i2c_pin_set(port, PIN_SCL, 1);
    wait();
    for (held = 0; i2c_pin_get(port, PIN_SCL) == 0; held++) {
        if (held == STRETCH_LIMIT)
            return -1;
        wait();
    }
    return held;
}

int i2c_bus_recover(unsigned port, unsigned max_pulses)
{
    const wait_fn wait = phase_wait[port & 1u];
    const int limit = max_pulses > PULSES_LIMIT ? PULSES_LIMIT : (int)max_pulses;
    int pulses = 0, stretch = 0, held;

    i2c_pin_set(port, PIN_SDA, 1);
    wait();

    while (i2c_pin_get(port, PIN_SDA) == 0) {
        if (pulses == limit) {
            bus_log("i2c%u: data still low after %d pulses", port, pulses);
            return RECOVER_STUCK;
        }
        pulses++;
        i2c_pin_set(port, PIN_SCL, 0);
        wait();
        held = release_clock(port, wait);
        if (held < 0) {
            bus_log("i2c%u: %s held low at pulse %d", port, "clock", pulses);
            return RECOVER_CLOCK_LOW;
        }
        stretch += held;
    }

    /* stop condition, so that every slave returns to idle */
    i2c_pin_set(port, PIN_SCL, 0);
    wait();
    i2c_pin_set(port, PIN_SDA, 0);
    wait();
    held = release_clock(port, wait);
    if (held < 0) {
        bus_log("i2c%u: %s held low at stop", port, "clock");
        return RECOVER_CLOCK_LOW;
    }
    i2c_pin_set(port, PIN_SDA, 1);
    wait();

    bus_log("i2c%u: freed after %d pulses, stretch %d", port, pulses, stretch + held);
    return pulses;
}
