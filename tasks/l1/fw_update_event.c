#include <stdbool.h>
#include <stdint.h>

/*
 * Receiver side of the over-the-air update. The image goes to the slot that is
 * not running; the peer may repeat chunks or run ahead by up to WINDOW chunks.
 */

#define CHUNK		64u
#define SECTOR		1024u
#define SLOT_SIZE	(32u * SECTOR)
#define WINDOW		8u

enum fwup_op { OP_BEGIN = 1, OP_DATA, OP_QUERY, OP_COMMIT, OP_ABORT };
enum fwup_state { FW_IDLE, FW_RECEIVING, FW_FAILED };

enum fwup_reason {
	R_NONE, R_LENGTH, R_OPCODE, R_STATE, R_SIZE, R_ROLLBACK, R_OFFSET,
	R_WINDOW, R_ERASE, R_WRITE, R_MISSING, R_HASH, R_ABORTED,
};

#define FWF_FORCE	0x01	/* same version again */

struct fwup {
	uint8_t state;
	uint8_t slot;		/* 0 or 1, being written */
	uint8_t reason;		/* of the last failure */
	uint8_t window;		/* bit i: chunk next + i is there */
	uint16_t next;		/* first chunk still missing */
	uint16_t repeats;
	uint32_t size;
	uint32_t version;	/* major 8, minor 8, build 16 */
	uint32_t running;
	uint32_t hash;
	uint32_t erased;	/* one bit per sector of the slot */
};

extern int fw_erase_sector(unsigned s);
extern int fw_write(uint32_t off, const uint8_t *p, unsigned n);
extern uint32_t fw_image_hash(uint32_t len);
extern void fw_reboot(unsigned slot);

static uint32_t get_be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static unsigned chunks_of(uint32_t size)
{
	return (size + CHUNK - 1) / CHUNK;
}

static int begin(struct fwup *u, const uint8_t *msg, unsigned n)
{
	uint32_t size, version;

	if (n != 13)
		return -R_LENGTH;
	size = get_be(msg + 1, 3);
	version = get_be(msg + 4, 4);
	if (size == 0 || size > SLOT_SIZE)
		return -R_SIZE;
	if (version < u->running)
		return -R_ROLLBACK;
	if (version == u->running && !(msg[12] & FWF_FORCE))
		return -R_ROLLBACK;

	u->state = FW_RECEIVING;
	u->reason = R_NONE;
	u->window = 0;
	u->next = 0;
	u->repeats = 0;
	u->size = size;
	u->version = version;
	u->hash = get_be(msg + 8, 4);
	u->erased = 0;
	return (int)chunks_of(size);
}

int fw_update_event(struct fwup *u, const uint8_t *msg, unsigned n)
{
	enum fwup_reason why;
	unsigned first_sector = (u->slot & 1) * (SLOT_SIZE / SECTOR);
	unsigned chunk, want, sector;
	uint32_t off;

	if (n == 0)
		return -R_LENGTH;
	if (msg[0] == OP_BEGIN)
		return begin(u, msg, n);
	if (u->state != FW_RECEIVING)
		return -R_STATE;

	switch (msg[0]) {
	case OP_DATA:
		if (n < 5)
			return -R_LENGTH;
		off = get_be(msg + 1, 3);
		if (off >= u->size || off % CHUNK != 0)
			return -R_OFFSET;
		chunk = off / CHUNK;
		want = u->size - off < CHUNK ? u->size - off : CHUNK;
		if (n - 4 != want)
			return -R_LENGTH;
		if (chunk < u->next || (chunk - u->next < WINDOW && (u->window >> (chunk - u->next) & 1))) {
			u->repeats++;
			return u->next;
		}
		if (chunk - u->next >= WINDOW)
			return -R_WINDOW;

		sector = off / SECTOR;
		if (!(u->erased >> sector & 1)) {
			if (fw_erase_sector(first_sector + sector) < 0) {
				why = R_ERASE;
				goto give_up;
			}
			u->erased |= UINT32_C(1) << sector;
		}
		if (fw_write(first_sector * SECTOR + off, msg + 4, want) != (int)want) {
			why = R_WRITE;
			goto give_up;
		}
		u->window |= (uint8_t)(1u << (chunk - u->next));
		while (u->window & 1) {
			u->window >>= 1;
			u->next++;
		}
		return u->next;

	case OP_QUERY:
		return u->next << 8 | u->window;

	case OP_COMMIT:
		if (u->next < chunks_of(u->size)) {
			u->reason = R_MISSING;
			return -R_MISSING;
		}
		if (fw_image_hash(u->size) != u->hash) {
			why = R_HASH;
			goto give_up;
		}
		u->state = FW_IDLE;
		u->running = u->version;
		fw_reboot(u->slot & 1);
		return 0;

	case OP_ABORT:
		why = R_ABORTED;
		goto give_up;

	default:
		return -R_OPCODE;
	}

give_up:
	/* without its first sector the loader takes the slot for empty */
	if (u->erased != 0)
		(void)fw_erase_sector(first_sector);
	u->state = FW_FAILED;
	u->reason = (uint8_t)why;
	u->erased = 0;
	u->next = 0;
	u->window = 0;
	return -(int)why;
}
