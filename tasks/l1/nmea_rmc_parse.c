#include <stdbool.h>
#include <stdint.h>

/* fields of $--RMC, numbered from the address field */
enum {
    RMC_TIME = 1, RMC_STATUS, RMC_LAT, RMC_NS, RMC_LON, RMC_EW,
    RMC_SPEED, RMC_COURSE, RMC_DATE, RMC_VAR, RMC_VAR_EW, RMC_LAST = RMC_VAR_EW
};

enum { NMEA_E_FRAME = 1, NMEA_E_TYPE, NMEA_E_SUM, NMEA_E_SYNTAX, NMEA_E_RANGE };

#define HAVE_TIME   0x01u
#define HAVE_STATUS 0x02u
#define HAVE_LAT    0x04u
#define HAVE_LON    0x08u
#define HAVE_SPEED  0x10u
#define HAVE_COURSE 0x20u
#define HAVE_DATE   0x40u
#define HAVE_VAR    0x80u

struct gps_fix {
    double   lat, lon;              /* degrees, north and east positive */
    float    speed_kn, course, magvar;
    uint16_t year, msec;
    uint8_t  month, day, hour, minute, second;
    uint8_t  have;
    uint8_t  valid;
    uint8_t  relaxed;               /* receiver is known to omit the checksum */
};

static int fail(unsigned code, unsigned field)
{
    return -(int)(code << 4 | field);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "1234.5678" -> 1234 and 567800 millionths; digits past the sixth decimal are dropped */
static bool fixed6(const char *f, unsigned n, uint32_t *whole, uint32_t *micro)
{
    uint32_t w = 0, m = 0, scale = 100000;
    unsigned i = 0;

    for (; i < n && f[i] != '.'; i++) {
        if (f[i] < '0' || f[i] > '9' || i >= 7)
            return false;
        w = w * 10 + (uint32_t)(f[i] - '0');
    }
    if (i == 0)
        return false;
    while (++i < n) {
        if (f[i] < '0' || f[i] > '9')
            return false;
        m += scale * (uint32_t)(f[i] - '0');
        scale /= 10;
    }
    *whole = w;
    *micro = m;
    return true;
}

int nmea_rmc_parse(const char *s, unsigned n, struct gps_fix *fix)
{
    static const uint8_t bit_of[RMC_LAST + 1] = {
        0, HAVE_TIME, HAVE_STATUS, HAVE_LAT, HAVE_LAT, HAVE_LON, HAVE_LON,
        HAVE_SPEED, HAVE_COURSE, HAVE_DATE, HAVE_VAR, HAVE_VAR
    };
    static const uint8_t month_days[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned start[16];
    unsigned end = 1, commas = 0;
    uint8_t sum = 0;
    double magnitude = -1.0;        /* number waiting for its N/S or E/W */
    int accepted = 0;

    if (n < 7 || s[0] != '$' || s[1] < 'A' || s[1] > 'Z' || s[2] < 'A' || s[2] > 'Z')
        return fail(NMEA_E_FRAME, 0);
    if (s[3] != 'R' || s[4] != 'M' || s[5] != 'C')
        return fail(NMEA_E_TYPE, 0);

    for (; end < n && s[end] != '*' && s[end] != '\r'; end++) {
        sum ^= (uint8_t)s[end];
        if (s[end] == ',') {
            if (++commas > 13)
                return fail(NMEA_E_FRAME, 14);
            start[commas] = end + 1;
        }
    }
    if (commas < RMC_LAST)
        return fail(NMEA_E_FRAME, commas);
    start[commas + 1] = end + 1;

    if (end < n && s[end] == '*') {
        int hi, lo;

        if (n - end < 3)
            return fail(NMEA_E_SUM, commas);
        hi = hex_digit(s[end + 1]);
        lo = hex_digit(s[end + 2]);
        if (hi < 0 || lo < 0 || (hi * 16 + lo) != sum)
            return fail(NMEA_E_SUM, commas);
    } else if (!fix->relaxed) {
        return fail(NMEA_E_SUM, 0);
    }

    for (unsigned k = RMC_TIME; k <= RMC_LAST; k++) {
        const char *f = s + start[k];
        unsigned len = start[k + 1] - start[k] - 1;
        uint32_t w = 0, m = 0;

        /* a void fix says nothing about position and motion */
        if (len == 0 || (!fix->valid && k >= RMC_LAT && k <= RMC_COURSE)) {
            fix->have &= (uint8_t)~bit_of[k];
            magnitude = -1.0;
            continue;
        }
        if (k != RMC_STATUS && k != RMC_NS && k != RMC_EW && k != RMC_VAR_EW) {
            if (!fixed6(f, len, &w, &m))
                return fail(NMEA_E_SYNTAX, k);
        } else if (len != 1) {
            return fail(NMEA_E_SYNTAX, k);
        }

        switch (k) {
        case RMC_TIME:
            if (len < 6 || (len > 6 && f[6] != '.'))
                return fail(NMEA_E_SYNTAX, k);
            if (w / 10000 > 23 || w / 100 % 100 > 59 || w % 100 > 60)
                return fail(NMEA_E_RANGE, k);
            fix->hour = (uint8_t)(w / 10000);
            fix->minute = (uint8_t)(w / 100 % 100);
            fix->second = (uint8_t)(w % 100);
            fix->msec = (uint16_t)(m / 1000);
            break;
        case RMC_STATUS:
            if (*f != 'A' && *f != 'V')
                return fail(NMEA_E_RANGE, k);
            fix->valid = *f == 'A';
            break;
        case RMC_LAT:
        case RMC_LON:
            if (w % 100 >= 60)
                return fail(NMEA_E_RANGE, k);
            magnitude = (double)(w / 100) + ((double)(w % 100) + (double)m / 1e6) / 60.0;
            if (magnitude > (k == RMC_LAT ? 90.0 : 180.0))
                return fail(NMEA_E_RANGE, k);
            continue;
        case RMC_VAR:
            if (w > 180)
                return fail(NMEA_E_RANGE, k);
            magnitude = (double)w + (double)m / 1e6;
            continue;
        case RMC_NS:
        case RMC_EW:
        case RMC_VAR_EW: {
            const char *letters = k == RMC_NS ? "NS" : "EW";

            if (*f != letters[0] && *f != letters[1])
                return fail(NMEA_E_RANGE, k);
            if (magnitude < 0.0) {
                fix->have &= (uint8_t)~bit_of[k];
                continue;
            }
            if (*f == letters[1])
                magnitude = -magnitude;
            if (k == RMC_NS)
                fix->lat = magnitude;
            else if (k == RMC_EW)
                fix->lon = magnitude;
            else
                fix->magvar = (float)magnitude;
            magnitude = -1.0;
            break;
        }
        case RMC_SPEED:
            fix->speed_kn = (float)((double)w + (double)m / 1e6);
            break;
        case RMC_COURSE:
            if (w >= 360)
                return fail(NMEA_E_RANGE, k);
            fix->course = (float)((double)w + (double)m / 1e6);
            break;
        default: {                      /* RMC_DATE */
            unsigned dd = w / 10000, mm = w / 100 % 100, yy = w % 100;

            if (len != 6)
                return fail(NMEA_E_SYNTAX, k);
            if (mm < 1 || mm > 12 || dd < 1 || dd > month_days[mm - 1] || (mm == 2 && dd == 29 && yy % 4 != 0))
                return fail(NMEA_E_RANGE, k);
            fix->day = (uint8_t)dd;
            fix->month = (uint8_t)mm;
            fix->year = (uint16_t)(yy >= 80 ? 1900 + yy : 2000 + yy);
            break;
        }
        }
        fix->have |= bit_of[k];
        accepted++;
    }
    return accepted;
}
