/*----------------------------------------------------------------------------
 * Calibration records in EEPROM, third generation.
 *
 *   1  first series, production in the US: Fahrenheit, gain in 1/1000
 *   2  Kelvin in tenths, float gain, flags in single bytes
 *   3  current
 *--------------------------------------------------------------------------*/
#include <stdint.h>
#include <stdbool.h>
#include <float.h>

struct cal_date
{
    uint16_t Year;
    uint8_t  Month;
    uint8_t  Day;
};

struct rec_v1
{
    uint16_t Serial;
    int8_t   RefF;              /* degrees Fahrenheit */
    int8_t   OffsetF;
    int16_t  GainMilli;
    uint16_t Packed;            /* yyyyyyym mmmddddd, years from 1980 */
    uint8_t  Flags;             /* 0 valid, 1 factory, 4 inverted */
};

struct rec_v2
{
    uint32_t Serial;
    float    Gain;
    uint16_t RefK10;
    int16_t  OffsetK10;
    struct cal_date Date;
    bool     Valid;
    bool     Factory;
    bool     Inverted;
    uint8_t  Channel;
};

struct rec_v3
{
    uint64_t Serial;            /* 40 bits */
    double   Gain;
    int16_t  Ref;               /* 1/256 degree Celsius */
    int16_t  Offset;            /* 1/256 kelvin */
    struct cal_date Date;
    struct
    {
        uint16_t Inverted : 1;
        uint16_t Valid    : 1;
        uint16_t Factory  : 1;
        uint16_t Channel  : 4;
        uint16_t Origin   : 2;  /* generation it came from, 0 unknown */
    } Flags;
};

struct rec_any
{
    uint8_t Version;
    union
    {
        uint16_t      Serial;   /* all generations start with it */
        struct rec_v1 V1;
        struct rec_v2 V2;
        struct rec_v3 V3;
    } u;
};

#define LOSSY_REF      0x01u
#define LOSSY_OFFSET   0x02u
#define LOSSY_GAIN     0x04u
#define LOSSY_DATE     0x08u
#define LOSSY_SERIAL   0x10u
#define LOSSY_CHANNEL  0x20u
#define LOSSY_VERSION  0x80u

#define SERIAL_MASK    0xFFFFFFFFFFull

static int16_t Clip(int32_t Value, unsigned Bit, unsigned *Lossy)
{
    if (Value > INT16_MAX) {
        *Lossy |= Bit;
        return INT16_MAX;
    }
    if (Value < INT16_MIN) {
        *Lossy |= Bit;
        return INT16_MIN;
    }
    return (int16_t)Value;
}

static bool DateOk(struct cal_date D)
{
    static const uint8_t Days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    uint8_t Last;

    if (D.Year < 1980u || D.Year > 2107u || D.Month < 1u || D.Month > 12u)
        return false;
    Last = Days[D.Month - 1u];
    if (D.Month == 2u && D.Year % 4u == 0u && D.Year != 2100u)
        Last = 29;
    return D.Day >= 1u && D.Day <= Last;
}

struct rec_v3 record_migrate_union(struct rec_any in, unsigned *lossy)
{
    struct rec_v3 Out = { 0 };
    unsigned Lost = 0;

    Out.Gain = 1.0;
    switch (in.Version) {
    case 1:
        Out.Serial = in.u.V1.Serial;
        Out.Gain   = in.u.V1.GainMilli / 1000.0;
        /* (F - 32) * 5/9 in 1/256, to nearest */
        Out.Ref    = (int16_t)((((int32_t)in.u.V1.RefF - 32) * 1280 + (in.u.V1.RefF < 32 ? -4 : 4)) / 9);
        Out.Offset = (int16_t)((int32_t)in.u.V1.OffsetF * 1280 / 9);
        Out.Date.Year  = (uint16_t)(1980u + (in.u.V1.Packed >> 9));
        Out.Date.Month = (uint8_t)((in.u.V1.Packed >> 5) & 15u);
        Out.Date.Day   = (uint8_t)(in.u.V1.Packed & 31u);
        Out.Flags.Valid    = in.u.V1.Flags & 1u;
        Out.Flags.Factory  = (in.u.V1.Flags >> 1) & 1u;
        Out.Flags.Inverted = (in.u.V1.Flags >> 4) & 1u;
        Out.Flags.Origin   = 1;
        break;

    case 2:
        Out.Serial = in.u.V2.Serial;
        Out.Gain   = in.u.V2.Gain;
        Out.Ref    = Clip((((int32_t)in.u.V2.RefK10 * 10 - 27315) * 64) / 25, LOSSY_REF, &Lost);
        Out.Offset = Clip((int32_t)in.u.V2.OffsetK10 * 128 / 5, LOSSY_OFFSET, &Lost);
        Out.Date   = in.u.V2.Date;
        Out.Flags.Valid    = in.u.V2.Valid;
        Out.Flags.Factory  = in.u.V2.Factory;
        Out.Flags.Inverted = in.u.V2.Inverted;
        if (in.u.V2.Channel > 15u) {
            Out.Flags.Channel = 15;
            Lost |= LOSSY_CHANNEL;
        } else {
            Out.Flags.Channel = in.u.V2.Channel & 15u;
        }
        Out.Flags.Origin = 2;
        break;

    case 3:
        Out = in.u.V3;
        if (Out.Serial > SERIAL_MASK) {
            Out.Serial &= SERIAL_MASK;
            Lost |= LOSSY_SERIAL;
        }
        Out.Flags.Origin = 3;
        break;

    default:
        Out.Serial = in.u.Serial;
        Lost = LOSSY_VERSION;
        break;
    }

    if (!(Out.Gain >= -DBL_MAX && Out.Gain <= DBL_MAX)) {
        Out.Gain = 1.0;
        Out.Flags.Valid = 0;
        Lost |= LOSSY_GAIN;
    }
    if (Out.Flags.Origin != 0 && !DateOk(Out.Date)) {
        Out.Date = (struct cal_date){ 1980, 1, 1 };
        Lost |= LOSSY_DATE;
    }

    *lossy |= Lost;
    return Out;
}
