#include <stdint.h>

extern float sqrtf(float x);

struct vec3 { float x, y, z; };
struct quat { float w, x, y, z; };

#define GRAVITY         9.80665f
#define ACC_LOW_SQ      ((0.85f * GRAVITY) * (0.85f * GRAVITY))
#define ACC_HIGH_SQ     ((1.15f * GRAVITY) * (1.15f * GRAVITY))
#define KP              0.75f
#define KI              0.02f
#define BIAS_LIMIT      0.2f        /* rad/s, the sensor's data sheet promises half of it */
#define NEWTON_BAND     0.01f
#define LOST            1.0e-6f

extern struct vec3 gyro_bias;
extern uint32_t corrections_skipped;

static float constrain(float v, float limit)
{
    if (v > limit)
        return limit;
    if (v < -limit)
        return -limit;
    return v;
}

struct quat quat_gyro_integrate(struct quat q, struct vec3 gyro, struct vec3 accel, float dt)
{
    struct vec3 rate;
    struct quat r;
    float acc_sq, norm_sq, scale, hold;

    rate.x = gyro.x - gyro_bias.x;
    rate.y = gyro.y - gyro_bias.y;
    rate.z = gyro.z - gyro_bias.z;

    /* Gravity can only be told from manoeuvres while the sum is about one g. */
    acc_sq = accel.x * accel.x + accel.y * accel.y + accel.z * accel.z;
    if (acc_sq >= ACC_LOW_SQ && acc_sq <= ACC_HIGH_SQ) {
        const float inv = 1.0f / sqrtf(acc_sq);
        const float ax = accel.x * inv, ay = accel.y * inv, az = accel.z * inv;
        /* third row of the rotation matrix: down, seen from the body */
        const float gx = 2.0f * (q.x * q.z - q.w * q.y);
        const float gy = 2.0f * (q.w * q.x + q.y * q.z);
        const float gz = q.w * q.w - q.x * q.x - q.y * q.y + q.z * q.z;
        const float ex = ay * gz - az * gy;
        const float ey = az * gx - ax * gz;
        const float ez = ax * gy - ay * gx;

        gyro_bias.x = constrain(gyro_bias.x - KI * ex * dt, BIAS_LIMIT);
        gyro_bias.y = constrain(gyro_bias.y - KI * ey * dt, BIAS_LIMIT);
        gyro_bias.z = constrain(gyro_bias.z - KI * ez * dt, BIAS_LIMIT);
        rate.x += KP * ex;
        rate.y += KP * ey;
        rate.z += KP * ez;
    } else {
        corrections_skipped++;
    }

    /* second order: q (1 - |a|^2 / 2) + q * a with a = rate dt / 2 */
    rate.x *= 0.5f * dt;
    rate.y *= 0.5f * dt;
    rate.z *= 0.5f * dt;
    hold = 1.0f - 0.5f * (rate.x * rate.x + rate.y * rate.y + rate.z * rate.z);
    r.w = q.w * hold - q.x * rate.x - q.y * rate.y - q.z * rate.z;
    r.x = q.x * hold + q.w * rate.x + q.y * rate.z - q.z * rate.y;
    r.y = q.y * hold + q.w * rate.y + q.z * rate.x - q.x * rate.z;
    r.z = q.z * hold + q.w * rate.z + q.x * rate.y - q.y * rate.x;

    norm_sq = r.w * r.w + r.x * r.x + r.y * r.y + r.z * r.z;
    if (norm_sq < LOST) {
        r.w = 1.0f;
        r.x = r.y = r.z = 0.0f;
        return r;
    }
    if (norm_sq - 1.0f <= NEWTON_BAND && norm_sq - 1.0f >= -NEWTON_BAND)
        scale = 1.5f - 0.5f * norm_sq;
    else
        scale = 1.0f / sqrtf(norm_sq);

    r.w *= scale;
    r.x *= scale;
    r.y *= scale;
    r.z *= scale;
    return r;
}
