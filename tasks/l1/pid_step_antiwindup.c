/* Process controller, one call per sample.
 *
 * Changes:
 *   - derivative acts on the measurement only (setpoint kicks, customer request)
 *   - soft dead band: slope starts at zero, reaches one at twice the width
 *   - two gain sets blended by control error
 */
#include <stdint.h>
#include <float.h>

struct pid_gains {
    float kp, ki, kd;
};

struct pid {
    struct pid_gains near_set, far_set;
    float    blend_lo, blend_hi;    /* |e| where blending starts and ends */
    float    dt;
    float    sp_rate;               /* units per second */
    float    dead_band;
    float    d_tau;
    float    out_min, out_max;
    float    out_rate;
    float    k_back;
    float    manual_out;
    uint8_t  manual;

    uint8_t  started;
    uint8_t  was_manual;
    uint16_t faults;
    float    sp;
    float    last_meas;
    float    d_filt;
    float    integ;
    float    out;
};

static int usable(float x)
{
    return x >= -FLT_MAX && x <= FLT_MAX;
}

static float clampf(float x, float lo, float hi)
{
    if (x < lo)
        return lo;
    return x > hi ? hi : x;
}

static float soft_dead_band(float e, float w)
{
    float m = e < 0.0f ? -e : e;

    if (m <= w)
        return 0.0f;
    if (m < 2.0f * w) {
        float u = m - w;
        m = u * u / (2.0f * w);
    } else {
        m -= 1.5f * w;
    }
    return e < 0.0f ? -m : m;
}

float pid_step_antiwindup(struct pid *p, float setpoint, float measured, float feed)
{
    const float dt = p->dt;

    if (!usable(setpoint) || !usable(measured) || !usable(feed)) {
        if (p->faults != UINT16_MAX)
            p->faults++;
        return p->out;
    }
    if (!(dt > 0.0f))
        return p->out;

    if (!p->started) {
        p->started = 1;
        p->sp = setpoint;
        p->last_meas = measured;
        p->d_filt = 0.0f;
    }

    p->sp += clampf(setpoint - p->sp, -p->sp_rate * dt, p->sp_rate * dt);
    const float e = soft_dead_band(p->sp - measured, p->dead_band);

    /* gain scheduling */
    const float mag = e < 0.0f ? -e : e;
    float w;
    if (mag <= p->blend_lo)
        w = 0.0f;
    else if (mag >= p->blend_hi)
        w = 1.0f;
    else
        w = (mag - p->blend_lo) / (p->blend_hi - p->blend_lo);
    const float kp = p->near_set.kp + w * (p->far_set.kp - p->near_set.kp);
    const float ki = p->near_set.ki + w * (p->far_set.ki - p->near_set.ki);
    const float kd = p->near_set.kd + w * (p->far_set.kd - p->near_set.kd);

    const float slope = (p->last_meas - measured) / dt;
    p->d_filt += dt / (p->d_tau + dt) * (slope - p->d_filt);
    p->last_meas = measured;

    const float rest = kp * e + kd * p->d_filt + feed;

    if (p->manual) {
        p->was_manual = 1;
        p->out = clampf(p->manual_out, p->out_min, p->out_max);
        return p->out;
    }
    if (p->was_manual) {
        /* take over without a bump */
        p->was_manual = 0;
        p->integ = p->out - rest;
    }

    const float raw = rest + p->integ;
    const float lim = clampf(raw, p->out_min, p->out_max);

    /* integrate freely unless that would drive deeper into the limit */
    if (raw == lim || (raw > lim && e < 0.0f) || (raw < lim && e > 0.0f))
        p->integ += ki * e * dt;
    p->integ += p->k_back * (lim - raw) * dt;

    p->out += clampf(lim - p->out, -p->out_rate * dt, p->out_rate * dt);
    return p->out;
}
