/* UDS 0x27 SecurityAccess, ISO 14229-1 chapter 9.4. One seed outstanding at a time. */
#include <stdint.h>

extern uint32_t hw_rng_word(void);
extern uint32_t uptime_ms(void);

#define SID_SECURITY_ACCESS     0x27u
#define SID_NEGATIVE            0x7Fu
#define POSITIVE(sid)           ((sid) | 0x40u)

#define NRC_SUBFUNC             0x12u
#define NRC_LENGTH              0x13u
#define NRC_SEQUENCE            0x24u
#define NRC_INVALID_KEY         0x35u
#define NRC_ATTEMPTS            0x36u
#define NRC_DELAY               0x37u
#define NRC_WRONG_SESSION       0x7Fu

#define SESSION_DEFAULT         1u
#define SESSION_PROGRAMMING     2u
#define SESSION_EXTENDED        3u

#define MAX_TRIES               3u
#define LOCK_MS                 10000u
#define LEVEL_PROG              0x11u   /* reflash levels: programming session only */

struct uds_session
{
    uint32_t seed;
    uint32_t secret;
    uint32_t lock_until;
    uint8_t  pending;       /* odd subfunction whose key we wait for, 0: none */
    uint8_t  level;         /* odd subfunction that is open, 0: locked */
    uint8_t  tries;
    uint8_t  session;
};

static int Negative(uint8_t *rsp, uint8_t code)
{
    rsp[0] = SID_NEGATIVE;
    rsp[1] = SID_SECURITY_ACCESS;
    rsp[2] = code;
    return 3;
}

static uint32_t KeyFor(const struct uds_session *s, uint8_t level)
{
    uint32_t rot = s->seed & 31u;
    uint32_t key = (s->seed << rot) | (s->seed >> ((32u - rot) & 31u));

    return (key ^ s->secret) + level;
}

int uds_security_access(struct uds_session *s, const uint8_t *req, unsigned len, uint8_t *rsp)
{
    uint8_t  sub;
    uint8_t  level;
    uint32_t now;
    uint32_t seed = 0u;
    uint32_t key;

    if ((len < 2u) || (req[0] != SID_SECURITY_ACCESS))
    {
        return 0;
    }

    sub   = (uint8_t)(req[1] & 0x7Fu);
    level = (uint8_t)((sub & 1u) ? sub : (sub - 1u));

    switch (s->session)
    {
        case SESSION_PROGRAMMING:
            break;
        case SESSION_EXTENDED:
            if (level >= LEVEL_PROG)
            {
                return Negative(rsp, NRC_SUBFUNC);
            }
            break;
        default:
            return Negative(rsp, NRC_WRONG_SESSION);
    }
    if ((sub == 0u) || (sub > 0x42u))
    {
        return Negative(rsp, NRC_SUBFUNC);
    }

    now = uptime_ms();
    if (s->tries >= MAX_TRIES)
    {
        if ((int32_t)(now - s->lock_until) < 0)
        {
            return Negative(rsp, NRC_DELAY);
        }
        s->tries = 0u;
    }

    if ((sub & 1u) != 0u)
    {
        if (len != 2u)
        {
            return Negative(rsp, NRC_LENGTH);
        }
        if (s->level == sub)
        {
            s->pending = 0u;            /* already open: zero seed */
        }
        else
        {
            for (unsigned i = 0u; (i < 4u) && (seed == 0u); i++)
            {
                seed = hw_rng_word();
            }
            if (seed == 0u)
            {
                seed = 1u;
            }
            s->seed = seed;
            s->pending = sub;
        }
        rsp[0] = POSITIVE(SID_SECURITY_ACCESS);
        rsp[1] = sub;
        rsp[2] = (uint8_t)(seed >> 24);
        rsp[3] = (uint8_t)(seed >> 16);
        rsp[4] = (uint8_t)(seed >> 8);
        rsp[5] = (uint8_t)seed;
        return 6;
    }

    if (len != 6u)
    {
        return Negative(rsp, NRC_LENGTH);
    }
    if (s->pending != level)
    {
        return Negative(rsp, NRC_SEQUENCE);
    }
    s->pending = 0u;                    /* a seed serves for one key only */

    key = ((uint32_t)req[2] << 24) | ((uint32_t)req[3] << 16) | ((uint32_t)req[4] << 8) | req[5];
    if (key != KeyFor(s, level))
    {
        s->tries++;
        if (s->tries < MAX_TRIES)
        {
            return Negative(rsp, NRC_INVALID_KEY);
        }
        s->lock_until = now + LOCK_MS;
        return Negative(rsp, NRC_ATTEMPTS);
    }

    s->level = level;
    s->tries = 0u;
    if ((req[1] & 0x80u) != 0u)         /* suppressPosRspMsgIndicationBit */
    {
        return 0;
    }
    rsp[0] = POSITIVE(SID_SECURITY_ACCESS);
    rsp[1] = sub;
    return 2;
}
