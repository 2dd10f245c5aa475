#include <stdint.h>
#include <stddef.h>

typedef int16_t  S16;
typedef int32_t  S32;
typedef uint8_t  U8;
typedef uint16_t U16;

#define MEDF_MAX_WIDTH   (15u)
#define MEDF_MIN_WIDTH   (3u)
#define MEDF_MAX_RUN     (2u)

struct medf
{
    S16 s16Ring[MEDF_MAX_WIDTH];    /* samples in order of arrival            */
    S16 s16Sorted[MEDF_MAX_WIDTH];  /* the same samples in ascending order    */
    U8  u8Width;
    U8  u8Count;
    U8  u8Head;                     /* next ring cell to be written           */
    U8  u8Run;                      /* replacements since last accepted value */
    U8  u8Factor;
    U16 u16Floor;
};

static void Medf_Remove(struct medf *psM, S16 s16Value)
{
    U8 u8At = 0u;

    while ((u8At < (U8)(psM->u8Count - 1u)) && (psM->s16Sorted[u8At] != s16Value))
    {
        u8At++;
    }
    for (; u8At < (U8)(psM->u8Count - 1u); u8At++)
    {
        psM->s16Sorted[u8At] = psM->s16Sorted[u8At + 1u];
    }
    psM->u8Count--;
}

static void Medf_Insert(struct medf *psM, S16 s16Value)
{
    U8 u8At = psM->u8Count;

    while ((u8At > 0u) && (psM->s16Sorted[u8At - 1u] > s16Value))
    {
        psM->s16Sorted[u8At] = psM->s16Sorted[u8At - 1u];
        u8At--;
    }
    psM->s16Sorted[u8At] = s16Value;
    psM->u8Count++;
}

unsigned median_despike_i16(struct medf *m, int16_t *x, unsigned n)
{
    unsigned uReplaced = 0u;
    U8       u8Width   = m->u8Width;

    if (u8Width < MEDF_MIN_WIDTH)
    {
        u8Width = (U8)MEDF_MIN_WIDTH;
    }
    else if (u8Width > MEDF_MAX_WIDTH)
    {
        u8Width = (U8)MEDF_MAX_WIDTH;
    }
    else
    {
        u8Width |= 1u;
    }
    m->u8Width = u8Width;

    /* a reconfiguration to a smaller window starts over */
    if ((m->u8Count > u8Width) || (m->u8Head >= u8Width))
    {
        m->u8Count = 0u;
        m->u8Head  = 0u;
        m->u8Run   = 0u;
    }

    for (unsigned i = 0u; i < n; i++)
    {
        S16 s16Sample = x[i];

        if (m->u8Count > 0u)
        {
            const S32 s32Med = m->s16Sorted[m->u8Count / 2u];
            const S32 s32Q1  = m->s16Sorted[m->u8Count / 4u];
            const S32 s32Q3  = m->s16Sorted[(3u * m->u8Count) / 4u];
            const S32 s32Lim = ((S32)m->u8Factor * (s32Q3 - s32Q1)) + (S32)m->u16Floor;
            S32       s32Dev = (S32)s16Sample - s32Med;

            if (s32Dev < 0)
            {
                s32Dev = -s32Dev;
            }

            if (s32Dev <= s32Lim)
            {
                m->u8Run = 0u;
            }
            else if (m->u8Run < MEDF_MAX_RUN)
            {
                m->u8Run++;
                uReplaced++;
                s16Sample = (S16)s32Med;
                x[i]      = s16Sample;
            }
            else
            {
                /* three in a row: a true step, forget what was before it */
                m->u8Run   = 0u;
                m->u8Count = 0u;
                m->u8Head  = 0u;
            }
        }

        if (m->u8Count >= u8Width)
        {
            Medf_Remove(m, m->s16Ring[m->u8Head]);
        }
        Medf_Insert(m, s16Sample);
        m->s16Ring[m->u8Head] = s16Sample;
        m->u8Head = (U8)((m->u8Head + 1u) % u8Width);
    }

    return uReplaced;
}
