#include <stdint.h>
#include <stdbool.h>

extern float sinf(float x);
extern float cosf(float x);
extern float sqrtf(float x);

struct abc { float a, b, c; };
struct dq  { float d, q; };

struct foc
{
    struct dq ref;
    struct dq integ;
    struct dq meas;         // last measured, for the trace
    float     kp;
    float     kiTs;         // ki times sample time
    float     kAw;          // how much of the cut voltage goes back into the integrators
    float     omega;        // electrical, rad/s
    float     ld, lq, psi;
    float     iTrip;
    float     vbusMin;
    uint8_t   lostPhase;    // 0 none, 1..3: this sensor is not plausible
    uint8_t   fault;        // latched
    uint16_t  saturated;    // steps in voltage limit
};

enum { FOC_FAULT_CURRENT = 1, FOC_FAULT_VBUS = 2 };

static const float ONE_THIRD      = 0.33333333f;
static const float INV_SQRT3      = 0.57735027f;

struct dq foc_current_step(struct foc *f, struct abc i, float theta, float vbus)
{
    struct dq out = { 0.0f, 0.0f };

    if (f->fault != 0)
        return out;

    switch (f->lostPhase) {
    case 1: i.a = -i.b - i.c; break;
    case 2: i.b = -i.a - i.c; break;
    case 3: i.c = -i.a - i.b; break;
    default: break;
    }

    // Clarke, zero sequence removed
    const float alpha = (2.0f * i.a - i.b - i.c) * ONE_THIRD;
    const float beta  = (i.b - i.c) * INV_SQRT3;

    if (alpha * alpha + beta * beta > f->iTrip * f->iTrip)
        f->fault |= FOC_FAULT_CURRENT;
    if (vbus < f->vbusMin)
        f->fault |= FOC_FAULT_VBUS;
    if (f->fault != 0) {
        f->integ.d = 0.0f;
        f->integ.q = 0.0f;
        return out;
    }

    // Park
    const float s = sinf(theta);
    const float c = cosf(theta);
    f->meas.d =  c * alpha + s * beta;
    f->meas.q = -s * alpha + c * beta;

    const float ed = f->ref.d - f->meas.d;
    const float eq = f->ref.q - f->meas.q;
    f->integ.d += f->kiTs * ed;
    f->integ.q += f->kiTs * eq;

    const float wantD = f->kp * ed + f->integ.d - f->omega * f->lq * f->meas.q;
    const float wantQ = f->kp * eq + f->integ.q + f->omega * (f->ld * f->meas.d + f->psi);

    // The circle of the bus; d gets what it wants first, q the remainder.
    const float vmax = vbus * INV_SQRT3;
    float vd = wantD;
    float vq = wantQ;
    bool  cut = false;

    if (vd > vmax) {
        vd = vmax;
        cut = true;
    } else if (vd < -vmax) {
        vd = -vmax;
        cut = true;
    }

    const float left = sqrtf(vmax * vmax - vd * vd);
    if (vq > left) {
        vq = left;
        cut = true;
    } else if (vq < -left) {
        vq = -left;
        cut = true;
    }

    if (cut) {
        f->integ.d -= f->kAw * (wantD - vd);
        f->integ.q -= f->kAw * (wantQ - vq);
        if (f->saturated < UINT16_MAX)
            ++f->saturated;
    }

    out.d = vd / vbus;
    out.q = vq / vbus;
    return out;
}
