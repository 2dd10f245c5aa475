#include <stdint.h>

typedef unsigned int UINT;
typedef uint8_t BYTE;

#define MAX_TOKEN   128u
#define ROW_CUT     0x80000000u

/* Row compression for the engine interface (mode 2 transfers).
   A pair of equal bytes is only worth a run token where no literal is open and
   no literal need be opened behind it; otherwise it goes along as literal. */
unsigned packbits_encode_row(const uint8_t *row, unsigned n, int8_t *out, unsigned cap)
{
    UINT cbOut = 0;
    UINT iPos = 0;
    UINT cLit = 0;                  /* literals pending before iPos */

    /* the engine clears its line buffer: white at the right margin costs nothing */
    while (n > 0 && row[n - 1] == 0)
        --n;

    for (;;) {
        UINT cRun = 0;
        BYTE bRun = 0;

        if (iPos < n) {
            bRun = row[iPos];
            cRun = 1;
            while (cRun < MAX_TOKEN && iPos + cRun < n && row[iPos + cRun] == bRun)
                ++cRun;

            if (cRun == 2) {
                UINT iNext = iPos + 2;
                int fRunFollows = iNext == n ||
                                  (iNext + 1 < n && row[iNext] == row[iNext + 1]);
                if (cLit > 0 || !fRunFollows)
                    cRun = 1;
            }
        }

        if (cRun == 1) {
            ++cLit;
            ++iPos;
            if (cLit < MAX_TOKEN)
                continue;
            cRun = 0;               /* block is full, write it alone */
        }

        if (cLit > 0) {
            if (cap - cbOut < cLit + 1)
                return cbOut | ROW_CUT;
            out[cbOut++] = (int8_t)(cLit - 1);
            for (; cLit > 0; --cLit)
                out[cbOut++] = (int8_t)row[iPos - cLit];
        }

        if (cRun > 1) {
            if (cap - cbOut < 2)
                return cbOut | ROW_CUT;
            out[cbOut++] = (int8_t)(1 - (int)cRun);
            out[cbOut++] = (int8_t)bRun;
            iPos += cRun;
        } else if (iPos >= n) {
            return cbOut;
        }
    }
}
