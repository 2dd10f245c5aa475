#include <stdint.h>
#include <stdbool.h>

/* Constant velocity filter behind the ultrasonic range finder. */

struct kcv {
    double   x[2];          /* distance, speed */
    double   P[2][2];
    double   q;             /* acceleration noise density */
    double   r;             /* measurement noise, adapted */
    double   rMin, rMax;
    double   gate;          /* in variances of the innovation */
    double   nis;           /* smoothed normalised innovation squared */
    uint32_t age;           /* steps without a measurement */
    uint8_t  rejects;
    bool     primed;
};

static const double P_FLOOR   = 1e-9;
static const double P_INIT_V  = 100.0;
static const double NIS_ALPHA = 0.05;

static void tidy(double P[2][2])
{
    double off = 0.5 * (P[0][1] + P[1][0]);

    P[0][1] = off;
    P[1][0] = off;
    for (int i = 0; i < 2; i++)
        if (P[i][i] < P_FLOOR)
            P[i][i] = P_FLOOR;
}

static void restart(struct kcv *k, double z)
{
    k->x[0] = z;
    k->x[1] = 0.0;
    k->P[0][0] = k->r;
    k->P[0][1] = 0.0;
    k->P[1][0] = 0.0;
    k->P[1][1] = P_INIT_V;
    k->nis = 1.0;
    k->age = 0;
    k->rejects = 0;
    k->primed = true;
}

bool kalman_cv_update(struct kcv *k, double z, double dt, unsigned valid)
{
    if (!(dt >= 0.0 && dt <= 1.0))
        return false;

    if (!k->primed) {
        if (!valid)
            return false;
        restart(k, z);
        return true;
    }

    /* predict: P = F P F' + Q */
    const double dt2 = dt * dt;
    double F[2][2] = { { 1.0, dt }, { 0.0, 1.0 } };
    double T[2][2], N[2][2];

    k->x[0] += dt * k->x[1];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            T[i][j] = F[i][0] * k->P[0][j] + F[i][1] * k->P[1][j];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            N[i][j] = T[i][0] * F[j][0] + T[i][1] * F[j][1];
    k->P[0][0] = N[0][0] + k->q * dt2 * dt2 * 0.25;
    k->P[0][1] = N[0][1] + k->q * dt2 * dt * 0.5;
    k->P[1][0] = N[1][0] + k->q * dt2 * dt * 0.5;
    k->P[1][1] = N[1][1] + k->q * dt2;
    tidy(k->P);

    if (!valid) {
        if (k->age < UINT32_MAX)
            k->age++;
        return false;
    }

    const double y = z - k->x[0];
    const double s = k->P[0][0] + k->r;

    if (y * y > k->gate * s) {
        k->rejects++;
        if (k->rejects >= 10) {
            restart(k, z);
            return true;
        }
        if (k->rejects % 3 == 0) {
            /* the model may be too sure of itself */
            k->P[0][0] *= 4.0;
            k->P[1][1] *= 4.0;
            k->P[0][1] *= 2.0;
            k->P[1][0] *= 2.0;
        }
        k->age++;
        return false;
    }
    k->rejects = 0;
    k->age = 0;

    /* update, Joseph form: (I - KH) P (I - KH)' + K r K' */
    const double g0 = k->P[0][0] / s;
    const double g1 = k->P[1][0] / s;
    double A[2][2] = { { 1.0 - g0, 0.0 }, { -g1, 1.0 } };
    double K[2] = { g0, g1 };

    k->x[0] += g0 * y;
    k->x[1] += g1 * y;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            T[i][j] = A[i][0] * k->P[0][j] + A[i][1] * k->P[1][j];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            k->P[i][j] = T[i][0] * A[j][0] + T[i][1] * A[j][1] + K[i] * k->r * K[j];
    tidy(k->P);

    k->nis += NIS_ALPHA * (y * y / s - k->nis);
    if (k->nis > 1.5)
        k->r *= 1.1;
    else if (k->nis < 0.5)
        k->r *= 0.95;
    if (k->r < k->rMin)
        k->r = k->rMin;
    else if (k->r > k->rMax)
        k->r = k->rMax;
    return true;
}
