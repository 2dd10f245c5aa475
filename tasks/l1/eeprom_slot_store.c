#include <stdint.h>

/* Layout is shared with the service tool, do not reorder. */
struct settings {
	uint8_t  version;
	uint16_t kp;
	int16_t  ki;
	uint32_t serial;
	uint8_t  mode;
	uint32_t run_seconds;
	int32_t  offset_uv;
	uint16_t limit_ma;
	uint8_t  node;
	uint8_t  flags;
} __attribute__((packed));

_Static_assert(sizeof(struct settings) == 22, "settings image");

/* driver's transfer buffer, one slot */
extern uint8_t ee_buf[32];

extern void ee_read(uint16_t addr, uint8_t *dst, unsigned n);
extern void ee_write(uint16_t addr, uint8_t v);

enum {
	SLOT_SIZE  = 32,
	SLOT_MAX   = 8,
	OFF_SEQ    = 0,
	OFF_DATA   = 1,
	OFF_SUM    = SLOT_SIZE - 1,
	RETRIES    = 2
};

static uint16_t ee_addr(unsigned slot, unsigned off)
{
	return (uint16_t)(slot * SLOT_SIZE + off);
}

/* What the slot ought to hold. */
static uint8_t wanted(const struct settings *s, uint8_t seq, unsigned off)
{
	if (off == OFF_SEQ)
		return seq;
	if (off - OFF_DATA < sizeof *s)
		return ((const uint8_t *)s)[off - OFF_DATA];
	return 0xFF;
}

int eeprom_slot_store(const struct settings *s, unsigned nslots)
{
	uint8_t seq[SLOT_MAX], next_seq = 0, check = 0, v;
	unsigned valid = 0, same = 0, slot, off, i, sum, equal;
	int newest = -1;

	if (nslots == 0 || nslots > SLOT_MAX)
		return -1;

	for (slot = 0; slot < nslots; slot++) {
		ee_read(ee_addr(slot, 0), ee_buf, SLOT_SIZE);
		seq[slot] = ee_buf[OFF_SEQ];
		sum = seq[slot];
		equal = 1;
		for (off = 1; off < SLOT_SIZE; off++) {
			sum += ee_buf[off];
			if (off < OFF_SUM && ee_buf[off] != wanted(s, 0, off))
				equal = 0;
		}
		if ((sum & 0xFFu) == 0)
			valid |= 1u << slot;
		same |= equal << slot;
	}

	/* The newest slot is the one whose neighbour does not carry on counting. */
	for (slot = 0; slot < nslots && newest < 0; slot++) {
		unsigned next = slot + 1 < nslots ? slot + 1 : 0;

		if (!(valid >> slot & 1u))
			continue;
		if (!(valid >> next & 1u) || seq[next] != (uint8_t)(seq[slot] + 1))
			newest = (int)slot;
	}

	slot = 0;
	if (newest >= 0) {
		if (same >> newest & 1u)
			return 100 + newest;
		slot = (unsigned)newest + 1 < nslots ? (unsigned)newest + 1 : 0;
		next_seq = (uint8_t)(seq[newest] + 1);
	}
	for (off = 0; off < OFF_SUM; off++)
		check = (uint8_t)(check - wanted(s, next_seq, off));

	for (int attempt = 0; attempt < RETRIES; attempt++) {
		unsigned wrong = 0;

		ee_read(ee_addr(slot, 0), ee_buf, SLOT_SIZE);
		/* sequence byte last: until then the old slot stays the newest */
		for (i = 1; i <= SLOT_SIZE; i++) {
			off = i % SLOT_SIZE;
			v = off == OFF_SUM ? check : wanted(s, next_seq, off);
			if (ee_buf[off] != v)
				ee_write(ee_addr(slot, off), v);
		}

		ee_read(ee_addr(slot, 0), ee_buf, SLOT_SIZE);
		for (off = 0; off < SLOT_SIZE; off++) {
			v = off == OFF_SUM ? check : wanted(s, next_seq, off);
			wrong += ee_buf[off] != v;
		}
		if (wrong == 0)
			return (int)slot;
	}
	return -1;
}
