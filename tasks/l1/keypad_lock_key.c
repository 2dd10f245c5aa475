#include <stdint.h>

typedef uint8_t  u8_t;
typedef uint32_t u32_t;

#define KL_USERS        6
#define KL_PAUSE_MS     6000u
#define KL_MAX_DELAY_S  900u
#define KL_MAX_WRONG    11      /* 2^10 s is already above the limit */

#define USR_ENABLED     0x01
#define USR_ONE_TIME    0x02
#define USR_USED        0x04

#define AUD_OPEN        1
#define AUD_DURESS      2
#define AUD_WRONG       3
#define AUD_CHANGED     4
#define AUD_REFUSED     5

#define BEEP_KEY        1
#define BEEP_OK         2
#define BEEP_ERROR      3
#define BEEP_BLOCKED    4

struct keyuser {
	u32_t code;             /* BCD, last digit in the low nibble */
	u8_t digits;
	u8_t flags;
	u8_t days;              /* bit 0 is Monday */
};

struct keylock {
	u32_t entry;
	u8_t count;
	u8_t stars;             /* '*' in a row */
	u8_t master;            /* master mode, set by the key switch inside */
	u8_t target;            /* user whose code is being changed + 1 */
	u8_t wrong;
	u8_t blocked;
	u8_t weekday;           /* 0..6 */
	u32_t last_key;         /* ms */
	u32_t blocked_until;
	struct keyuser user[KL_USERS];
};

extern void lock_bolt(int open);
extern void lock_beep(unsigned pattern);
extern void lock_audit(uint8_t what, uint8_t user);

static void clear_entry(struct keylock *k)
{
	k->entry = 0;
	k->count = 0;
}

/* last digit one up, 9 becomes 0, no carry */
static u32_t duress_code(u32_t code)
{
	u32_t last = code & 0xF;

	return (code & ~(u32_t)0xF) | (last == 9 ? 0 : last + 1);
}

static void error(struct keylock *k, u8_t what, u8_t user)
{
	lock_beep(BEEP_ERROR);
	lock_audit(what, user);
	k->target = 0;
}

static void change_code(struct keylock *k)
{
	u8_t me = k->target - 1, clash = 0, i;

	for (i = 0; i < KL_USERS; i++) {
		const struct keyuser *u = &k->user[i];

		/* a duress code must not open for somebody else either */
		if (i != me && (u->flags & USR_ENABLED) && u->digits == k->count &&
		    (u->code == k->entry || duress_code(u->code) == k->entry || duress_code(k->entry) == u->code))
			clash = 1;
	}
	if (clash || k->count < 4) {
		error(k, AUD_REFUSED, me);
		return;
	}
	k->user[me].code = k->entry;
	k->user[me].digits = k->count;
	k->user[me].flags = (k->user[me].flags | USR_ENABLED) & (u8_t)~USR_USED;
	k->target = 0;
	lock_beep(BEEP_OK);
	lock_audit(AUD_CHANGED, me);
}

static int try_code(struct keylock *k, u32_t now)
{
	u8_t hit = 0xFF, duress = 0, i;
	u32_t delay;

	/* always all users: the time must not tell how far a code was right */
	for (i = 0; i < KL_USERS; i++) {
		const struct keyuser *u = &k->user[i];
		u8_t usable = (u->flags & USR_ENABLED) && !((u->flags & USR_ONE_TIME) && (u->flags & USR_USED)) &&
			      (u->days >> k->weekday & 1) && u->digits == k->count;
		u8_t same = u->code == k->entry;
		u8_t forced = duress_code(u->code) == k->entry;

		if (usable & (same | forced)) {
			hit = i;
			duress = forced;
		}
	}
	if (hit == 0xFF) {
		if (k->wrong < KL_MAX_WRONG)
			k->wrong++;
		delay = (u32_t)1 << (k->wrong - 1);
		if (delay > KL_MAX_DELAY_S)
			delay = KL_MAX_DELAY_S;
		k->blocked = 1;
		k->blocked_until = now + delay * 1000u;
		error(k, AUD_WRONG, k->wrong);
		return -1;
	}
	k->wrong = 0;
	if (k->user[hit].flags & USR_ONE_TIME)
		k->user[hit].flags |= USR_USED;
	lock_bolt(1);
	lock_beep(BEEP_OK);
	lock_audit(duress ? AUD_DURESS : AUD_OPEN, hit);
	return 1;
}

/* 1 opened, 0 nothing special, -1 wrong code, -2 ignored */
int keypad_lock_key(struct keylock *k, char key, uint32_t now)
{
	u32_t pause = now - k->last_key;
	int ret = 0;

	k->last_key = now;
	if (pause > KL_PAUSE_MS) {
		clear_entry(k);
		k->stars = 0;
		k->target = 0;
	}
	if (k->blocked) {
		if ((int32_t)(now - k->blocked_until) < 0) {
			lock_beep(BEEP_BLOCKED);
			return -2;
		}
		k->blocked = 0;
	}

	switch (key) {
	case '*':
		clear_entry(k);
		k->target = 0;
		if (k->stars < 2)
			k->stars++;
		lock_beep(BEEP_KEY);
		return 0;

	case '#':
		if (k->master && k->target) {
			change_code(k);
		} else if (k->master && k->stars == 2) {
			/* "**user#": the code comes next */
			if (k->count == 1 && k->entry >= 1 && k->entry <= KL_USERS) {
				k->target = (u8_t)k->entry;
				lock_beep(BEEP_KEY);
			} else {
				error(k, AUD_REFUSED, 0xFF);
			}
		} else {
			ret = try_code(k, now);
		}
		k->stars = 0;
		clear_entry(k);
		return ret;

	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		if (k->count >= 8) {
			error(k, AUD_REFUSED, k->count);
			clear_entry(k);
			return 0;
		}
		k->entry = k->entry << 4 | (u32_t)(key - '0');
		k->count++;
		lock_beep(BEEP_KEY);
		return 0;

	default:
		return -2;
	}
}
