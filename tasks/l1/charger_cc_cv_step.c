#include <stdint.h>
#include <stdbool.h>

extern void chg_set_current_ma(unsigned ma);
extern void chg_set_voltage_mv(unsigned mv);

enum chg_state {
    CHG_PRECHARGE,
    CHG_CONST_CURRENT,
    CHG_CONST_VOLTAGE,
    CHG_TOPPED,
    CHG_RECHARGE_WAIT,
    CHG_TEMP_PAUSE,
    CHG_FAULT
};

struct charger {
    enum chg_state state;
    enum chg_state resume;      // where to go on after a temperature pause
    float capacityA;            // 1C
    float kneeLow, kneeHigh;    // current falls from full to a fifth between these
    float filtered;             // charge current, slow filter
    float lastVolt;
    uint32_t halfSeconds;       // safety timer
    uint16_t taper;
    uint16_t dwell;
    unsigned sentMa, sentMv;
    uint8_t faultCode;
};

static const float V_DEAD      = 1.5f;
static const float V_PRE_END   = 3.0f;
static const float V_TARGET    = 4.2f;
static const float V_TARGET_HOT = 4.1f;
static const float V_RECHARGE  = 4.05f;
static const float V_DROP      = 0.75f;
static const float T_MIN = 0.0f, T_MAX = 60.0f, T_HYST = 3.0f;

#define PRE_LIMIT_HALF   (2u * 1800u)
#define FULL_LIMIT_HALF  (2u * 14400u)

enum { FLT_TIMER = 1, FLT_PACK_MISSING, FLT_DEAD_CELL };

static unsigned milli(float x, float limit)
{
    return (unsigned)((x > limit ? limit : x) * 1000.0f + 0.5f);
}

static void changeState(struct charger *c, enum chg_state next)
{
    c->state = next;
    c->taper = 0;
    c->dwell = 0;
}

static void send(struct charger *c, float amps, float volts)
{
    unsigned ma = milli(amps, 5.0f);
    unsigned mv = milli(volts, 4.25f);

    // never raise the current before the voltage limit is in force
    if (mv != c->sentMv) {
        c->sentMv = mv;
        chg_set_voltage_mv(mv);
    }
    if (ma != c->sentMa) {
        c->sentMa = ma;
        chg_set_current_ma(ma);
    }
}

enum chg_state charger_cc_cv_step(struct charger *c, float volt, float amp, float temp_c)
{
    float factor = 1.0f, target = V_TARGET, amps = 0.0f;
    float drop = c->lastVolt - volt;
    bool active = c->state <= CHG_CONST_VOLTAGE;

    c->lastVolt = volt;
    c->filtered += (amp - c->filtered) * 0.125f;

    if (c->state == CHG_FAULT) {
        send(c, 0.0f, 0.0f);
        return CHG_FAULT;
    }

    // derating: linear between the knees, a plain step if they coincide
    if (temp_c >= c->kneeHigh) {
        factor = 0.2f;
        target = V_TARGET_HOT;
    } else if (temp_c > c->kneeLow) {
        float part = (temp_c - c->kneeLow) / (c->kneeHigh - c->kneeLow);
        factor = 1.0f - 0.8f * part;
        target = V_TARGET - (V_TARGET - V_TARGET_HOT) * part;
    }

    if (active) {
        if (drop > V_DROP && amp < 0.05f) {
            c->faultCode = FLT_PACK_MISSING;
            changeState(c, CHG_FAULT);
        } else if (temp_c < T_MIN || temp_c > T_MAX) {
            c->resume = c->state;
            changeState(c, CHG_TEMP_PAUSE);
        } else {
            c->halfSeconds += factor < 1.0f ? 1 : 2;
        }
    }

    switch (c->state) {
    case CHG_PRECHARGE:
        amps = 0.1f * c->capacityA;
        if (c->halfSeconds >= PRE_LIMIT_HALF) {
            c->faultCode = volt < V_DEAD ? FLT_DEAD_CELL : FLT_TIMER;
            changeState(c, CHG_FAULT);
        } else if (volt >= V_PRE_END) {
            changeState(c, CHG_CONST_CURRENT);
            c->halfSeconds = 0;
        }
        break;
    case CHG_CONST_CURRENT:
        amps = c->capacityA * factor;
        if (volt >= target - 0.01f) {
            if (++c->dwell >= 3)
                changeState(c, CHG_CONST_VOLTAGE);
        } else {
            c->dwell = 0;
        }
        break;
    case CHG_CONST_VOLTAGE:
        amps = c->capacityA * factor;
        if (c->filtered < 0.1f * c->capacityA) {
            if (++c->taper >= 30)
                changeState(c, CHG_TOPPED);
        } else {
            c->taper = 0;
        }
        break;
    case CHG_TOPPED:
        if (++c->dwell >= 60)
            changeState(c, CHG_RECHARGE_WAIT);
        break;
    case CHG_RECHARGE_WAIT:
        if (volt > V_RECHARGE) {
            c->dwell = 0;
        } else if (++c->dwell >= 10) {
            c->halfSeconds = 0;
            changeState(c, volt < V_PRE_END ? CHG_PRECHARGE : CHG_CONST_CURRENT);
        }
        break;
    case CHG_TEMP_PAUSE:
        if (temp_c >= T_MIN + T_HYST && temp_c <= T_MAX - T_HYST)
            changeState(c, c->resume);
        break;
    default:
        break;
    }

    if (c->halfSeconds >= FULL_LIMIT_HALF && (c->state == CHG_CONST_CURRENT || c->state == CHG_CONST_VOLTAGE)) {
        c->faultCode = FLT_TIMER;
        changeState(c, CHG_FAULT);
    }
    if (c->state >= CHG_TOPPED)
        amps = 0.0f;
    send(c, amps, c->state == CHG_FAULT ? 0.0f : target);
    return c->state;
}
