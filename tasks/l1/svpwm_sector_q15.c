#include <stdint.h>

typedef uint32_t u32;
typedef int32_t  s32;
typedef uint16_t u16;
typedef int16_t  s16;
typedef uint8_t  u8;

#define PWM_MIN_PULSE	24u
#define SQRT3_Q15	56756	/* 1.7320508 * 2^15 */

extern volatile u8  PWM_MODE;
extern volatile u16 TIM_CCR[3];
extern volatile u16 TIM_EGR;

static s32 mul_sqrt3(s32 x)
{
	if (x < 0)
		return -((-x * SQRT3_Q15 + 16384) >> 15);
	return (x * SQRT3_Q15 + 16384) >> 15;
}

unsigned svpwm_sector_q15(int16_t alpha, int16_t beta, uint16_t period, uint16_t out[3])
{
	/* who is on longest, second, not at all */
	static const u8 order[7][3] = {
		{ 0, 0, 0 },
		{ 0, 1, 2 }, { 1, 0, 2 }, { 1, 2, 0 },
		{ 2, 1, 0 }, { 2, 0, 1 }, { 0, 2, 1 },
	};
	s32 y = beta;
	s32 x = mul_sqrt3(alpha);
	s32 v1, v2;
	unsigned sector;
	unsigned signs = 0;

	if (period < 100)
		return 0;

	if (y > 0)
		signs |= 1;
	if (x > y)
		signs |= 2;
	if (-x > y)
		signs |= 4;

	/* v1: vector with one upper switch on, v2: with two */
	switch (signs) {
	case 3:
		sector = 1;
		v1 = (x - y) / 2;
		v2 = y;
		break;
	case 1:
		sector = 2;
		v1 = (y - x) / 2;
		v2 = (y + x) / 2;
		break;
	case 5:
		sector = 3;
		v1 = y;
		v2 = (-x - y) / 2;
		break;
	case 4:
		sector = 4;
		v1 = -y;
		v2 = (y - x) / 2;
		break;
	case 6:
		sector = 5;
		v1 = (-x - y) / 2;
		v2 = (x - y) / 2;
		break;
	case 2:
		sector = 6;
		v1 = (x + y) / 2;
		v2 = -y;
		break;
	default:
		/* zero vector */
		sector = 1;
		v1 = 0;
		v2 = 0;
		break;
	}

	/* outside the hexagon: keep the angle, give up the length */
	if (v1 + v2 > 32768) {
		v1 = (s32)(((u32)v1 << 15) / (u32)(v1 + v2));
		v2 = 32768 - v1;
	}

	u32 t1 = ((u32)v1 * period) >> 15;
	u32 t2 = ((u32)v2 * period) >> 15;
	u32 t0 = period - t1 - t2;
	u32 low;

	switch (PWM_MODE & 3u) {
	case 0:
		low = t0 / 2;
		break;
	case 1:
		low = 0;
		break;
	case 2:
		low = (sector & 1u) ? 0 : t0;
		break;
	default:
		low = (sector & 1u) ? t0 : 0;
		break;
	}

	u32 on[3];
	on[order[sector][0]] = low + t1 + t2;
	on[order[sector][1]] = low + t2;
	on[order[sector][2]] = low;

	for (unsigned k = 0; k < 3; k++) {
		if (on[k] < PWM_MIN_PULSE)
			on[k] = 0;
		else if (on[k] > period - PWM_MIN_PULSE)
			on[k] = period;
		out[k] = (u16)on[k];
		TIM_CCR[k] = (u16)on[k];
	}
	TIM_EGR = (u16)(0x20u | sector);
	return sector;
}
