#include <stdint.h>

#define CR_UE		(1u << 0)
#define CR_OVER8	(1u << 15)

#define DIV_MIN		16u

extern volatile struct usart_regs {
	uint32_t cr;
	uint32_t brr;
	uint32_t isr;
	uint32_t gtpr;
} UART1;

/*
 * Deviation of the real line rate from the wanted one, for a divider that
 * counts "ticks" per second. Sign is that of (real - wanted).
 */
static int64_t rate_ppm(uint64_t ticks, uint32_t div, uint32_t baud)
{
	int64_t nominal = (int64_t)((uint64_t)div * baud);

	return ((int64_t)ticks - nominal) * 1000000 / nominal;
}

static uint64_t mag(int64_t v)
{
	return v < 0 ? (uint64_t)-v : (uint64_t)v;
}

int32_t uart_set_baud(uint32_t clk_hz, uint32_t baud, unsigned max_err_ppm)
{
	uint64_t d16, d8, fast = (uint64_t)clk_hz * 2;
	uint32_t cr, brr = 0, over8 = 0;
	int64_t err = 0;
	int usable = 0;

	if (baud == 0)
		return INT32_MIN;

	/* 16x: one divider step is a kernel clock, 12.4 straight into BRR */
	d16 = ((uint64_t)clk_hz + baud / 2) / baud;
	if (d16 >= DIV_MIN && d16 <= 0xffff) {
		err = rate_ppm(clk_hz, (uint32_t)d16, baud);
		brr = (uint32_t)d16;
		usable = 1;
	}

	/*
	 * 8x runs from both clock edges, so it has twice the resolution, but
	 * only three fraction bits: BRR[3] stays zero.
	 */
	if (!usable || mag(err) > max_err_ppm) {
		d8 = (fast + baud / 2) / baud;
		if (d8 >= DIV_MIN && d8 <= 0x7fff) {
			int64_t err8 = rate_ppm(fast, (uint32_t)d8, baud);

			if (!usable || mag(err8) < mag(err)) {
				err = err8;
				brr = (uint32_t)((d8 >> 3) << 4 | (d8 & 7));
				over8 = CR_OVER8;
				usable = 1;
			}
		}
	}

	if (!usable)
		return INT32_MIN;

	cr = UART1.cr;
	UART1.cr = cr & ~CR_UE;		/* BRR is locked while enabled */
	UART1.brr = brr;
	UART1.cr = (cr & ~CR_OVER8) | over8;

	return (int32_t)err;
}
