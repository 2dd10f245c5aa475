#include <stdint.h>
#include <stdbool.h>

typedef uint8_t  BYTE;
typedef uint16_t WORD;

typedef enum
{
    eIdle, eMoving, eLevelling, eOpening, eOpen, eClosing, eFault
} LIFTSTATE;

/* lift_sensor() */
#define SENS_LEVEL      0u
#define SENS_CLOSED     1u
#define SENS_BARRIER    2u
#define SENS_OVERLOAD   3u

/* lift_door() */
#define DOOR_CLOSE      0
#define DOOR_OPEN       1
#define DOOR_NUDGE      2       /* slowly, buzzer on, light barrier ignored */

#define FAULT_NONE      0u
#define FAULT_TRAVEL    1u
#define FAULT_LEVEL     2u
#define FAULT_DOOR      3u
#define FAULT_CONFIG    4u

/* in ticks of 100 ms */
#define T_TRAVEL        250u
#define T_LEVEL         30u
#define T_OPENING       25u
#define T_DWELL         40u
#define T_CLOSING       60u
#define N_REOPEN        5u

struct lift
{
    WORD wUp, wDown, wCabin;    /* pending calls, one bit per floor */
    BYTE bState;
    int8_t chDir;
    BYTE bFloors;
    BYTE bPos;                  /* quarter floors, kept by the encoder interrupt */
    BYTE bReopens;
    BYTE bFault;
    WORD wTimer;
};

extern void lift_motor(int dir);        /* +-2 fast, +-1 creep, 0 brake */
extern void lift_door(int open);
extern int lift_sensor(unsigned what);

static int EnterFault(struct lift *l, BYTE bCode)
{
    lift_motor(0);
    l->bState = eFault;
    l->bFault = bCode;
    l->chDir = 0;
    return 0;
}

static void Depart(struct lift *l, WORD wAbove, WORD wBelow)
{
    if (l->chDir >= 0)
        l->chDir = wAbove ? 1 : wBelow ? -1 : 0;
    else
        l->chDir = wBelow ? -1 : wAbove ? 1 : 0;
    l->wTimer = 0;
    l->bReopens = 0;
    if (l->chDir != 0)
    {
        lift_motor(2 * l->chDir);
        l->bState = eMoving;
    }
    else
    {
        l->bState = eIdle;
    }
}

/* The call lamps of this floor go out; at a turning point the other direction is served too. */
static void Serve(struct lift *l, WORD wHere, WORD wAbove, WORD wBelow)
{
    l->wCabin &= (WORD)~wHere;
    if ((l->chDir > 0 && !wAbove) || (l->chDir < 0 && !wBelow))
        l->chDir = wAbove ? 1 : wBelow ? -1 : 0;
    if (l->chDir >= 0)
        l->wUp &= (WORD)~wHere;
    if (l->chDir <= 0)
        l->wDown &= (WORD)~wHere;
}

int elevator_tick(struct lift *l, uint16_t calls_up, uint16_t calls_down, uint16_t cabin)
{
    WORD wAll, wHere, wAbove, wBelow, wStop;
    BYTE bFloor;
    bool fBlocked;

    if (l->bFloors < 2 || l->bFloors > 16)
        return EnterFault(l, FAULT_CONFIG);

    /* no up button on the top floor, no down button on the lowest */
    wAll = (WORD)((1ul << l->bFloors) - 1);
    l->wUp |= calls_up & (wAll >> 1);
    l->wDown |= calls_down & wAll & (WORD)~1u;
    l->wCabin |= cabin & wAll;

    bFloor = (BYTE)((l->bPos + 2) / 4);
    if (bFloor >= l->bFloors)
        bFloor = (BYTE)(l->bFloors - 1);
    wHere = (WORD)(1u << bFloor);
    wAll = l->wUp | l->wDown | l->wCabin;
    wBelow = wAll & (WORD)(wHere - 1);
    wAbove = wAll & (WORD)~(wHere | (wHere - 1));

    l->wTimer++;
    switch (l->bState)
    {
    case eIdle:
        if (wAll & wHere)
        {
            lift_door(DOOR_OPEN);
            l->bState = eOpening;
            l->wTimer = 0;
            Serve(l, wHere, wAbove, wBelow);
        }
        else
        {
            Depart(l, wAbove, wBelow);
        }
        break;

    case eMoving:
        if (l->wTimer > T_TRAVEL)
            return EnterFault(l, FAULT_TRAVEL);
        wStop = l->wCabin | (l->chDir > 0 ? l->wUp : l->wDown);
        if (!(l->chDir > 0 ? wAbove : wBelow))
            wStop |= wHere;                     /* nothing further ahead */
        if ((l->bPos & 3) == 0 && (wStop & wHere))
        {
            lift_motor(l->chDir);
            l->bState = eLevelling;
            l->wTimer = 0;
        }
        break;

    case eLevelling:
        if (lift_sensor(SENS_LEVEL))
        {
            lift_motor(0);
            lift_door(DOOR_OPEN);
            l->bState = eOpening;
            l->wTimer = 0;
            Serve(l, wHere, wAbove, wBelow);
        }
        else if (l->wTimer > T_LEVEL)
        {
            return EnterFault(l, FAULT_LEVEL);
        }
        break;

    case eOpening:
        if (l->wTimer >= T_OPENING)
        {
            l->bState = eOpen;
            l->wTimer = 0;
        }
        break;

    case eOpen:
        if ((l->wCabin | (l->chDir >= 0 ? l->wUp : l->wDown)) & wHere)
        {
            Serve(l, wHere, wAbove, wBelow);
            l->wTimer = 0;
        }
        if (lift_sensor(SENS_OVERLOAD))
            l->wTimer = 0;
        else if (l->bReopens < N_REOPEN && lift_sensor(SENS_BARRIER))
            l->wTimer = 0;
        if (l->wTimer >= T_DWELL)
        {
            lift_door(l->bReopens < N_REOPEN ? DOOR_CLOSE : DOOR_NUDGE);
            l->bState = eClosing;
            l->wTimer = 0;
        }
        break;

    case eClosing:
        fBlocked = lift_sensor(SENS_BARRIER) || (l->wCabin & wHere);
        if (fBlocked && l->bReopens < N_REOPEN)
        {
            l->bReopens++;
            lift_door(DOOR_OPEN);
            l->bState = eOpening;
            l->wTimer = 0;
        }
        else if (lift_sensor(SENS_CLOSED))
        {
            Depart(l, wAbove, wBelow);
        }
        else if (l->wTimer > T_CLOSING)
        {
            return EnterFault(l, FAULT_DOOR);
        }
        break;

    default:
        lift_motor(0);
        /* a jammed door clears itself, everything else needs the mechanic */
        if (l->bFault == FAULT_DOOR && lift_sensor(SENS_CLOSED))
        {
            l->bFault = FAULT_NONE;
            l->bState = eIdle;
        }
        else if (lift_sensor(SENS_LEVEL))
        {
            lift_door(DOOR_OPEN);
        }
        break;
    }
    return l->chDir;
}
