/* obd_pid_report.c - dongle: scaling of mode 01/02 answers for the display task */

#include <stdint.h>

extern void obd_trace(const char *fmt, ...);

enum obdKind { OBD_FLOAT = 1, OBD_INT, OBD_BITS, OBD_CODE };
enum obdUnit { U_NONE, U_PERCENT, U_CELSIUS, U_KPA, U_KMH, U_RPM, U_DEGREES, U_GRAMS_S, U_SECONDS, U_KM };

struct obd_value {
    uint8_t kind;
    uint8_t unit;
    union {
        float f;
        int32_t i;
        uint32_t bits;
        char code[6];
    } u;
};

static unsigned bytesNeeded(uint8_t pid)
{
    switch (pid) {
    case 0x02: case 0x0C: case 0x10: case 0x1F: case 0x21:
        return 2;
    default:
        return (pid & 0x1F) == 0 ? 4 : 1;
    }
}

static int asFloat(struct obd_value *out, uint8_t unit, float f)
{
    out->kind = OBD_FLOAT;
    out->unit = unit;
    out->u.f = f;
    return 0;
}

static int asInt(struct obd_value *out, uint8_t unit, int32_t i)
{
    out->kind = OBD_INT;
    out->unit = unit;
    out->u.i = i;
    return 0;
}

int obd_pid_report(uint8_t pid, const uint8_t *d, unsigned n, struct obd_value *out)
{
    static const char hex[] = "0123456789ABCDEF";
    int word;

    if (n < bytesNeeded(pid))
        return -1;
    word = n >= 2 ? d[0] << 8 | d[1] : d[0];

    switch (pid) {
    case 0x02:      /* DTC that stored the freeze frame */
        out->kind = OBD_CODE;
        out->unit = U_NONE;
        out->u.code[0] = "PCBU"[d[0] >> 6];
        out->u.code[1] = (char)('0' + (d[0] >> 4 & 3));
        out->u.code[2] = hex[d[0] & 15];
        out->u.code[3] = hex[d[1] >> 4];
        out->u.code[4] = hex[d[1] & 15];
        out->u.code[5] = '\0';
        return 0;
    case 0x04:      /* calculated load */
    case 0x11:      /* throttle */
        return asFloat(out, U_PERCENT, (float)d[0] * 100.0f / 255.0f);
    case 0x05:
        return asInt(out, U_CELSIUS, d[0] - 40);
    case 0x06:      /* short term trim, bank 1 */
    case 0x07:      /* long term */
        return asFloat(out, U_PERCENT, (float)(d[0] - 128) * 0.78125f);
    case 0x0B:
        return asInt(out, U_KPA, d[0]);
    case 0x0C:
        return asFloat(out, U_RPM, (float)word * 0.25f);
    case 0x0D:
        return asInt(out, U_KMH, d[0]);
    case 0x0E:      /* advance before TDC */
        return asFloat(out, U_DEGREES, (float)(d[0] - 128) / 2.0f);
    case 0x10:
        return asFloat(out, U_GRAMS_S, (float)word / 100.0f);
    case 0x1F:
        return asInt(out, U_SECONDS, word);
    case 0x21:      /* with MIL on */
        return asInt(out, U_KM, word);
    default:
        break;
    }

    if ((pid & 0x1F) == 0) {
        out->kind = OBD_BITS;
        out->unit = U_NONE;
        out->u.bits = (uint32_t)word << 16 | (uint32_t)d[2] << 8 | d[3];
        return 0;
    }
    obd_trace("pid %02X not handled, %u bytes", pid, n);
    return -2;
}
