/*
 * Telemetry of a hot-swap power supply over PMBus.
 *
 * LINEAR11: bits 15..11 exponent, 10..0 mantissa, both two's complement.
 * LINEAR16: sixteen bits of mantissa, the exponent is in VOUT_MODE.
 */
#include <stdint.h>
#include <stdbool.h>

#define PMB_VOUT_MODE	0x20
#define PMB_STATUS_WORD	0x79
#define PMB_READ_VOUT	0x8B

#define BAD_VOUT	(1u << 5)
#define BAD_TEMP	(1u << 6)
#define BAD_STATUS	(1u << 7)
#define BAD_POWER	((1u << 2) | (1u << 4))

#define EFF_WARN	0.6f
#define EFF_MIN_WATT	10.0f

struct psu_telemetry {
	struct {
		float volt, amp, watt;
	} in, out;
	float temp[3];
	uint16_t status;
	uint8_t bad;
};

extern int smbus_read_word(uint8_t dev, uint8_t cmd);
extern void psu_log(const char *fmt, ...);

/* 2^e for -16 <= e <= 15, assembled rather than computed */
static float pow2f(int e)
{
	union {
		uint32_t u;
		float f;
	} v;

	v.u = (uint32_t)(e + 127) << 23;
	return v.f;
}

static int sext5(unsigned v)
{
	return (int)((v & 0x1Fu) ^ 0x10u) - 0x10;
}

static float linear11(unsigned raw)
{
	int mant = (int)((raw & 0x7FFu) ^ 0x400u) - 0x400;

	return (float)mant * pow2f(sext5(raw >> 11));
}

int pmbus_read_telemetry(uint8_t dev, struct psu_telemetry *t)
{
	/* VIN IIN PIN IOUT POUT, then three temperatures that share one bit of bad */
	static const uint8_t cmd[8] = { 0x88, 0x89, 0x97, 0x8C, 0x96, 0x8D, 0x8E, 0x8F };
	float *dst[8] = {
		&t->in.volt, &t->in.amp, &t->in.watt, &t->out.amp, &t->out.watt,
		&t->temp[0], &t->temp[1], &t->temp[2],
	};
	unsigned bad = 0;
	int good = 0;
	int word, mode;

	for (unsigned i = 0; i < 8; i++) {
		word = smbus_read_word(dev, cmd[i]);
		if (word < 0) {
			bad |= i < 5 ? 1u << i : BAD_TEMP;
			continue;
		}
		*dst[i] = linear11((unsigned)word & 0xFFFFu);
		good++;
	}

	word = smbus_read_word(dev, PMB_STATUS_WORD);
	if (word < 0) {
		bad |= BAD_STATUS;
	} else {
		t->status = (uint16_t)word;
		good++;
	}

	/* anything but linear mode (VID, direct) is not decoded */
	mode = smbus_read_word(dev, PMB_VOUT_MODE);
	if (mode < 0 || (mode & 0xE0) != 0) {
		bad |= BAD_VOUT;
	} else {
		word = smbus_read_word(dev, PMB_READ_VOUT);
		if (word < 0) {
			bad |= BAD_VOUT;
		} else {
			t->out.volt = (float)(uint16_t)word * pow2f(sext5((unsigned)mode));
			good++;
		}
	}
	t->bad = (uint8_t)bad;

	if (!(bad & BAD_POWER) && t->in.watt > EFF_MIN_WATT) {
		float eff = t->out.watt / t->in.watt;

		if (eff < EFF_WARN)
			psu_log("psu %02x: efficiency %.3f, %.1f W in, %.1f W out, status %04x",
				dev, (double)eff, (double)t->in.watt,
				(double)t->out.watt, t->status);
	}
	return good;
}
