#include <stdint.h>
#include <stdbool.h>

enum otp_mode { OTP_EVENT = 0, OTP_TIME = 1 };

struct otp {
	uint64_t counter;	/* lowest one not used yet */
	uint64_t resync_at;	/* where the second code of a resync must hit */
	uint32_t fail_time;	/* s */
	uint8_t fails;
	uint8_t mode;
	uint8_t window;		/* OTP_EVENT: how far ahead we look */
	uint8_t resync;		/* first code of a resync was seen */
	int8_t drift;		/* OTP_TIME: steps the token's clock is off */
	uint8_t chal[8];
	uint8_t mac[20];
};

extern void otp_hmac(const uint8_t *msg, unsigned n, uint8_t *mac);
extern void otp_audit(unsigned what, uint64_t counter);

#define OTP_FAIL	(-1)
#define OTP_BADARG	(-2)
#define OTP_THROTTLED	(-3)
#define OTP_AGAIN	(-4)	/* next code, please */

#define FREE_TRIES	5
#define NEAR		3
#define WINDOW_MAX	8
#define DRIFT_MAX	10

enum { AUD_OK = 1, AUD_FAIL, AUD_THROTTLE, AUD_RESYNC };

static uint32_t code_at(struct otp *o, uint64_t counter, uint32_t modulus)
{
	const uint8_t *b;
	unsigned i;

	for (i = 0; i < 8; i++)
		o->chal[i] = (uint8_t)(counter >> (56 - 8 * i));
	otp_hmac(o->chal, 8, o->mac);
	b = o->mac + (o->mac[19] & 15);
	return (((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]) & 0x7fffffffu) % modulus;
}

int hotp_verify_window(struct otp *o, uint32_t code, unsigned digits, uint32_t now)
{
	static const int8_t steps[5] = { 0, -1, 1, -2, 2 };
	uint32_t modulus = 1000000;
	unsigned i, span;

	if (digits < 6 || digits > 8)
		return OTP_BADARG;
	for (i = 6; i < digits; i++)
		modulus *= 10;

	if (o->fails > FREE_TRIES) {
		unsigned k = o->fails - FREE_TRIES;

		if (now - o->fail_time < (uint32_t)1 << (k > 12 ? 12 : k)) {
			otp_audit(AUD_THROTTLE, o->counter);
			return OTP_THROTTLED;
		}
	}

	if (code >= modulus)
		goto fail;

	if (o->mode == OTP_TIME) {
		int64_t here = (int64_t)(now / 30) + o->drift;

		for (i = 0; i < 5; i++) {
			int64_t at = here + steps[i];
			int drift;

			if (at < 0 || (uint64_t)at < o->counter)
				continue;	/* used, or before time began */
			if (code_at(o, (uint64_t)at, modulus) != code)
				continue;
			drift = o->drift + steps[i];
			if (drift > DRIFT_MAX)
				drift = DRIFT_MAX;
			if (drift < -DRIFT_MAX)
				drift = -DRIFT_MAX;
			o->drift = (int8_t)drift;
			o->counter = (uint64_t)at + 1;
			goto ok;
		}
		goto fail;
	}

	span = o->window > WINDOW_MAX ? WINDOW_MAX : o->window;
	for (i = 0; i <= span; i++) {
		uint64_t at = o->counter + i;

		if (code_at(o, at, modulus) != code)
			continue;
		if (i > NEAR && !(o->resync && at == o->resync_at)) {
			o->resync = 1;
			o->resync_at = at + 1;
			otp_audit(AUD_RESYNC, at);
			return OTP_AGAIN;
		}
		o->counter = at + 1;
		goto ok;
	}

fail:
	if (o->fails < 255)
		o->fails++;
	o->fail_time = now;
	o->resync = 0;
	otp_audit(AUD_FAIL, o->counter);
	return OTP_FAIL;
ok:
	o->fails = 0;
	o->resync = 0;
	otp_audit(AUD_OK, o->counter - 1);
	return (int)i;
}
