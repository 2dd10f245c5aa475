/* Polled I2C master: register write with bounded retries. */
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;

enum start_result { START_OK, START_BUSY, START_LOST };
enum tx_result { TX_ACK, TX_NAK, TX_LOST };

enum {
	I2C_EADDR = -1,		/* not a 7-bit address */
	I2C_ENODEV = -2,	/* nobody answers */
	I2C_EBUSY = -3,
	I2C_ELOST = -4,
	I2C_EHW = -5,
	I2C_EREG = -99,		/* device refused the register number */
	I2C_EDATA = -100	/* minus the index of the refused byte */
};

#define MAX_RETRIES	8u
#define BACKOFF_US	50u
#define BACKOFF_MAX_US	1600u

extern struct {
	u16 nak, lost, busy;
} i2c_stat;

extern int i2c_start(void);
extern int i2c_tx(u8 byte);
extern void i2c_stop(void);
extern void delay_us(unsigned us);

/* counters stick at the top, the service tool reads them once a day */
static void bump(u16 *counter)
{
	if (*counter != UINT16_MAX)
		++*counter;
}

int i2c_write_reg_retry(u8 dev, u8 reg, const u8 *data, size_t len, unsigned retries)
{
	unsigned backoff = BACKOFF_US;
	unsigned left;
	int ret, rc;
	size_t i;

	if (dev & 0x80)
		return I2C_EADDR;

	left = retries < MAX_RETRIES ? retries : MAX_RETRIES;
	for (;; left--) {
		switch (i2c_start()) {
		case START_OK:
			break;
		case START_LOST:
			goto arb_lost;
		case START_BUSY:
			bump(&i2c_stat.busy);
			ret = I2C_EBUSY;
			if (!left)
				goto out_stop;
			delay_us(BACKOFF_US);
			continue;
		default:
			ret = I2C_EHW;
			goto out_stop;
		}

		rc = i2c_tx((u8)(dev << 1));
		if (rc == TX_LOST)
			goto arb_lost;
		if (rc != TX_ACK) {
			/* EEPROM in its write cycle, most likely: poll with a repeated start */
			bump(&i2c_stat.nak);
			ret = I2C_ENODEV;
			if (!left)
				goto out_stop;
			delay_us(backoff);
			backoff *= 2;
			if (backoff > BACKOFF_MAX_US)
				backoff = BACKOFF_MAX_US;
			continue;
		}

		rc = i2c_tx(reg);
		if (rc == TX_LOST)
			goto arb_lost;
		if (rc != TX_ACK) {
			bump(&i2c_stat.nak);
			ret = I2C_EREG;
			goto out_stop;
		}

		for (i = 0; i < len; i++) {
			rc = i2c_tx(data[i]);
			if (rc == TX_LOST)
				goto arb_lost;
			if (rc != TX_ACK) {
				bump(&i2c_stat.nak);
				ret = I2C_EDATA - (int)i;
				goto out_stop;
			}
		}
		ret = 0;
		goto out_stop;

arb_lost:
		/* the bus belongs to the other master now: no stop from us */
		bump(&i2c_stat.lost);
		if (!left)
			return I2C_ELOST;
	}

out_stop:
	i2c_stop();
	return ret;
}
