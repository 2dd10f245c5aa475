/* MIDI IN -> voice allocator */
#include <stdint.h>

typedef uint8_t  U8;
typedef int16_t  S16;
typedef uint64_t U64;

#define NO_STATUS       0
#define CC_DATA_ENTRY   6
#define CC_PEDAL        64
#define CC_RPN_LSB      100
#define CC_RPN_MSB      101
#define CTL_PRESSURE    0x80    /* our own numbers above the controllers */
#define CTL_PROGRAM     0x81
#define BEND_SEMIS_MAX  96

struct midi_in {
    U8  status;             /* running status, 0: none */
    U8  have;               /* data bytes collected */
    U8  data0;
    U8  pedal;
    U64 deferred[2];        /* keys let go while the pedal is down */
    U8  range[16];          /* bend range in semitones */
    U8  rpn_msb[16], rpn_lsb[16];
    uint16_t stray;         /* data bytes nobody asked for */
};

extern void synth_note(U8 ch, U8 key, int vel);
extern void synth_ctrl(U8 ch, U8 ctl, U8 val);
extern void synth_bend(U8 ch, S16 cents);
extern void synth_clock(U8 rt);

/* by status >> 4, from 0x8 on */
static const U8 dataCount[7] = { 2, 2, 2, 2, 1, 1, 2 };

static void noteOff(struct midi_in *m, U8 ch, U8 key, U8 vel)
{
    if (m->pedal)
        m->deferred[key >> 6] |= (U64)1 << (key & 63);
    else
        synth_note(ch, key, -(int)vel);
}

static void pedalMoved(struct midi_in *m, U8 ch, U8 val)
{
    unsigned key;

    m->pedal = val >= 64;
    if (m->pedal)
        return;
    for (key = 0; key < 128; key++)
        if (m->deferred[key >> 6] >> (key & 63) & 1)
            synth_note(ch, (U8)key, 0);
    m->deferred[0] = m->deferred[1] = 0;
}

static void control(struct midi_in *m, U8 ch, U8 ctl, U8 val)
{
    switch (ctl) {
    case CC_RPN_MSB:
        m->rpn_msb[ch] = val;
        break;
    case CC_RPN_LSB:
        m->rpn_lsb[ch] = val;
        break;
    case CC_DATA_ENTRY:
        if (m->rpn_msb[ch] == 0 && m->rpn_lsb[ch] == 0)
            m->range[ch] = val < BEND_SEMIS_MAX ? val : BEND_SEMIS_MAX;
        else
            synth_ctrl(ch, ctl, val);
        break;
    case CC_PEDAL:
        pedalMoved(m, ch, val);
        break;
    default:
        synth_ctrl(ch, ctl, val);
        break;
    }
}

static void message(struct midi_in *m, U8 d0, U8 d1)
{
    U8 ch = m->status & 15;
    int bend;

    switch (m->status >> 4) {
    case 0x8:
        noteOff(m, ch, d0, d1);
        break;
    case 0x9:
        if (d1 == 0) {
            noteOff(m, ch, d0, 0);
        } else {
            m->deferred[d0 >> 6] &= ~((U64)1 << (d0 & 63));
            synth_note(ch, d0, d1);
        }
        break;
    case 0xB:
        control(m, ch, d0, d1);
        break;
    case 0xC:
        synth_ctrl(ch, CTL_PROGRAM, d0);
        break;
    case 0xD:
        synth_ctrl(ch, CTL_PRESSURE, d0);
        break;
    case 0xE:
        bend = (d1 << 7 | d0) - 8192;
        synth_bend(ch, (S16)(bend * m->range[ch] * 100 / 8192));
        break;
    default:    /* key pressure: no voice uses it */
        break;
    }
}

void midi_stream_feed(struct midi_in *m, const U8 *b, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        U8 c = b[i];

        if (c >= 0xF8) {                /* real time, may sit inside anything */
            synth_clock(c);
        } else if (c >= 0xF0) {         /* sysex and system common */
            m->status = NO_STATUS;
            m->have = 0;
        } else if (c >= 0x80) {
            m->status = c;
            m->have = 0;
        } else if (m->status < 0x80 || m->status >= 0xF0) {
            m->stray++;
        } else if (m->have == 0 && dataCount[(m->status >> 4) - 8] == 2) {
            m->data0 = c;
            m->have = 1;
        } else {
            U8 d0 = m->have ? m->data0 : c;

            m->have = 0;
            message(m, d0 & 127, c);
        }
    }
}
