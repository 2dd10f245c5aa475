#include <stdint.h>

#define V_RING      16u         /* a quarter of the 64 samples in a cycle */
#define V_HYST      200
#define V_ALIVE     400u        /* rms counts below which the voltage is missing */
#define PULSES_MAX  4
#define Q14_HALF    8192

struct emeter
{
	int16_t  v_ring[V_RING];
	int64_t  p_acc, q_acc;
	uint64_t vv_acc, ii_acc;
	int16_t  i_prev;
	uint16_t n;                 /* samples in this cycle */
	uint8_t  pos;
	uint8_t  below;             /* was under -V_HYST since the last crossing */
	uint16_t tamper;
	uint32_t quadrant[4];       /* counts below one pulse */
	uint32_t pulses[4];
	uint32_t tenths[4];         /* of a kWh */
	uint32_t start_thr;         /* apparent power, counts */
	uint32_t quantum;           /* counts per pulse */
	uint16_t per_tenth;         /* pulses per tenth */
	uint16_t i_thr;
};

extern volatile int16_t CAL_POWER;      /* Q14, 1.0 is 16384 */
extern volatile uint8_t CAL_PHASE;      /* part of a sample the CT is late, Q8 */

extern void pulse_led_toggle(unsigned led);
extern void meter_store(unsigned reg, uint32_t kwh_tenths);

static uint32_t isqrt32(uint32_t x)
{
	uint32_t r = 0, b;

	for (b = 1uL << 30; b != 0; b >>= 2)
	{
		if (x >= r + b)
		{
			x -= r + b;
			r = (r >> 1) + b;
		}
		else
			r >>= 1;
	}
	return r;
}

unsigned energy_quadrant_add(struct emeter *m, const int16_t *v, const int16_t *i, unsigned n)
{
	unsigned cycles = 0;
	unsigned k;

	for (k = 0; k < n; k++)
	{
		const int32_t ph = CAL_PHASE;
		int32_t vq, ic, p, q;
		uint32_t vrms, irms, s, mag, quad;
		int pulse;

		/* the current as it was ph/256 of a sample ago */
		ic = i[k] + ((int32_t)m->i_prev - i[k]) * ph / 256;
		m->i_prev = i[k];

		vq = m->v_ring[m->pos % V_RING];
		m->v_ring[m->pos % V_RING] = v[k];
		m->pos = (uint8_t)((m->pos + 1u) % V_RING);

		m->p_acc += v[k] * ic;
		m->q_acc += vq * ic;
		m->vv_acc += (uint32_t)(v[k] * v[k]);
		m->ii_acc += (uint32_t)(ic * ic);
		if (m->n < UINT16_MAX)
			m->n++;

		if (v[k] < -V_HYST)
			m->below = 1;
		if (!m->below || v[k] < 0)
			continue;

		/* --- a cycle is complete --- */
		m->below = 0;
		cycles++;

		vrms = isqrt32((uint32_t)(m->vv_acc / m->n));
		irms = isqrt32((uint32_t)(m->ii_acc / m->n));
		s = vrms * irms;
		p = (int32_t)((m->p_acc / m->n * CAL_POWER + Q14_HALF) >> 14);
		q = (int32_t)((m->q_acc / m->n * CAL_POWER + Q14_HALF) >> 14);
		m->p_acc = m->q_acc = 0;
		m->vv_acc = m->ii_acc = 0;
		m->n = 0;

		if (vrms < V_ALIVE && irms > m->i_thr && m->tamper < UINT16_MAX)
			m->tamper++;

		if (s < m->start_thr)
			continue;       /* creep */

		/* I +P+Q, II -P+Q, III -P-Q, IV +P-Q */
		if (p >= 0)
			quad = q >= 0 ? 0 : 3;
		else
			quad = q >= 0 ? 1 : 2;
		mag = p < 0 ? 0u - (uint32_t)p : (uint32_t)p;

		if (m->quadrant[quad] > UINT32_MAX - mag)
			m->quadrant[quad] = UINT32_MAX;
		else
			m->quadrant[quad] += mag;

		/* the LED cannot flash any faster; the rest waits for the next cycle */
		for (pulse = 0; pulse < PULSES_MAX && m->quadrant[quad] >= m->quantum; pulse++)
		{
			m->quadrant[quad] -= m->quantum;
			pulse_led_toggle(quad);
			if (++m->pulses[quad] >= m->per_tenth)
			{
				m->pulses[quad] = 0;
				m->tenths[quad]++;
				meter_store(quad, m->tenths[quad]);
			}
		}
	}
	return cycles;
}
