#include <stdint.h>

extern double cos(double x);
extern double sqrt(double x);

typedef struct track {
    double   lat, lon;          // last accepted position, degrees
    double   cosLat;            // valid around cosAt
    double   cosAt;
    double   restCm;            // below one centimetre, not yet in distCm
    uint32_t lastMs;
    uint32_t stillMs;           // how long we have been too slow to be riding
    uint32_t movingMs;
    uint32_t distCm;
    uint32_t lapStartCm;
    uint32_t lapLengthCm;       // 0: automatic laps off
    uint16_t speed[3];          // cm/s, newest first
    uint16_t maxSpeed;
    uint16_t avgSpeed;
    uint8_t  speeds;            // entries of speed in use
    uint8_t  rejects;           // jumps in a row
    uint8_t  moving;
    uint8_t  octant;            // heading, 0 north, clockwise
    uint8_t  started;
    uint8_t  spare;
} Track;

enum {
    TP_ACCEPTED = 0x01,
    TP_MOVING   = 0x02,
    TP_NEW_MAX  = 0x04,
    TP_LAP      = 0x08,
};

#define CM_PER_DEGREE   11119492.664
#define RAD_PER_DEGREE  0.017453292519943295
#define JUMP_CM_S       4000.0
#define RIDING_CM_S     60.0
#define STOP_HOLD_MS    15000u
#define TAN_22_5        0.41421356237309503

static double positive(double x) { return x < 0.0 ? -x : x; }

static uint16_t middle(uint16_t a, uint16_t b, uint16_t c)
{
    if (a > b) { uint16_t t = a; a = b; b = t; }
    return c < a ? a : c > b ? b : c;
}

unsigned track_point_filter(struct track *t, double lat, double lon, uint32_t ms)
{
    Track *const tr = t;
    unsigned flags = TP_ACCEPTED;

    if (!tr->started) {
        tr->cosLat = cos(lat * RAD_PER_DEGREE);
        tr->cosAt = lat;
        tr->lat = lat;
        tr->lon = lon;
        tr->lastMs = ms;
        tr->stillMs = 0;
        tr->speeds = tr->rejects = tr->moving = 0;
        tr->started = 1;
        return flags;
    }

    const uint32_t dt = ms - tr->lastMs;
    if (dt == 0)
        return 0;       // some receivers send each fix twice

    if (positive(lat - tr->cosAt) > 0.5) {
        tr->cosLat = cos(lat * RAD_PER_DEGREE);
        tr->cosAt = lat;
    }

    double dLon = lon - tr->lon;
    if (dLon > 180.0)
        dLon -= 360.0;
    else if (dLon < -180.0)
        dLon += 360.0;
    const double north = (lat - tr->lat) * CM_PER_DEGREE;
    const double east = dLon * CM_PER_DEGREE * tr->cosLat;
    const double dist = sqrt(north * north + east * east);
    const double speed = dist * 1000.0 / dt;

    // One wild fix is noise. When the next one agrees we were in a tunnel or on
    // a ferry: go on from there, but the way between is not ours.
    if (speed > JUMP_CM_S) {
        if (tr->rejects == 0) {
            tr->rejects = 1;
            return 0;
        }
        tr->rejects = 0;
        tr->lat = lat;
        tr->lon = lon;
        tr->lastMs = ms;
        tr->speeds = 0;
        return flags;
    }
    tr->rejects = 0;

    if (speed >= RIDING_CM_S) {
        tr->stillMs = 0;
        tr->moving = 1;
    } else {
        tr->stillMs = dt > UINT32_MAX - tr->stillMs ? UINT32_MAX : tr->stillMs + dt;
        if (tr->stillMs >= STOP_HOLD_MS)
            tr->moving = 0;
    }

    if (tr->moving) {
        const double cm = dist + tr->restCm;
        const uint32_t whole = (uint32_t)cm;
        tr->restCm = cm - whole;
        tr->distCm += whole;
        tr->movingMs += dt;
        flags |= TP_MOVING;

        const double an = positive(north), ae = positive(east);
        if (ae <= an * TAN_22_5)
            tr->octant = north < 0.0 ? 4 : 0;
        else if (an <= ae * TAN_22_5)
            tr->octant = east < 0.0 ? 6 : 2;
        else if (east > 0.0)
            tr->octant = north < 0.0 ? 3 : 1;
        else
            tr->octant = north < 0.0 ? 5 : 7;
    }

    tr->speed[2] = tr->speed[1];
    tr->speed[1] = tr->speed[0];
    tr->speed[0] = (uint16_t)speed;
    if (tr->speeds < 3)
        tr->speeds++;
    if (tr->speeds == 3) {
        const uint16_t mid = middle(tr->speed[0], tr->speed[1], tr->speed[2]);
        if (mid > tr->maxSpeed) {
            tr->maxSpeed = mid;
            flags |= TP_NEW_MAX;
        }
    }

    if (tr->movingMs != 0) {
        const uint64_t avg = (uint64_t)tr->distCm * 1000u / tr->movingMs;
        tr->avgSpeed = avg > UINT16_MAX ? UINT16_MAX : (uint16_t)avg;
    }

    if (tr->lapLengthCm != 0 && tr->distCm - tr->lapStartCm >= tr->lapLengthCm) {
        tr->lapStartCm += tr->lapLengthCm;
        flags |= TP_LAP;
    }

    tr->lat = lat;
    tr->lon = lon;
    tr->lastMs = ms;
    return flags;
}
