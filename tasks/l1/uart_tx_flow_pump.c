/* Transmit side of the radio link, software (XON/XOFF) flow control. */
#include <stdint.h>

#define XON     0x11u
#define CAN     0x18u   /* peer lost sync: throw the queue away */
#define XOFF    0x13u
#define ESC     0x7Du
#define ESC_XOR 0x20u

#define Q_MASK  31u

struct tx_state
{
	uint8_t q[32];
	uint8_t rd, wr;
	uint8_t esc_pending;	/* second half of a pair that was cut, or 0 */
	enum { TX_RUN, TX_HELD, TX_URGENT } mode;
	uint8_t urgent;		/* 0 = none */
	uint16_t sent, stalls;
};

extern volatile uint8_t FLOW_RX;	/* last control byte of the peer; 0 = nothing new */
extern volatile uint8_t UART_DR;

extern void uart_hold_line(int assert_hold);

static void flow_control(struct tx_state *t)
{
	uint8_t ctl = FLOW_RX;

	if (ctl == 0)
		return;
	FLOW_RX = 0;

	switch (ctl)
	{
	case XON:
		if (t->mode != TX_RUN)
		{
			t->mode = TX_RUN;
			uart_hold_line(0);
		}
		break;

	case XOFF:
		if (t->mode == TX_RUN)
		{
			t->mode = t->urgent ? TX_URGENT : TX_HELD;
			uart_hold_line(1);
		}
		break;

	case CAN:
		/* esc_pending survives: the peer waits for that half */
		t->rd = t->wr;
		break;

	default:
		break;
	}
}

unsigned uart_tx_flow_pump(struct tx_state *t, unsigned budget)
{
	unsigned n;

	flow_control(t);

	for (n = 0; n < budget; n++)
	{
		uint8_t c;

		if (t->esc_pending)
		{
			/* never leave a pair open, held or not */
			c = t->esc_pending;
			t->esc_pending = 0;
		}
		else if (t->urgent)
		{
			c = t->urgent;
			t->urgent = 0;
			if (t->mode == TX_URGENT)
				t->mode = TX_HELD;
		}
		else if (t->rd == t->wr)
		{
			break;
		}
		else if (t->mode != TX_RUN)
		{
			t->stalls++;
			break;
		}
		else
		{
			c = t->q[t->rd & Q_MASK];
			t->rd = (uint8_t)((t->rd + 1u) & Q_MASK);
			if (c == XON || c == XOFF || c == ESC)
			{
				t->esc_pending = (uint8_t)(c ^ ESC_XOR);
				c = ESC;
			}
		}
		UART_DR = c;
	}

	t->sent = (uint16_t)(t->sent + n);
	return n;
}
