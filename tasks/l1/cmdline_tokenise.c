#include <stdint.h>

#define CLI_UNTERMINATED    (-1)
#define CLI_BAD_HEX         (-2)
#define CLI_TOO_MANY        (-3)

extern uint8_t cmd_rest;    /* where the next command starts, 0: nothing left */

static uint8_t HexNibble(uint8_t ch)
{
    uint8_t nib = 0xFFU;

    if ((ch >= (uint8_t)'0') && (ch <= (uint8_t)'9'))
    {
        nib = (uint8_t)(ch - (uint8_t)'0');
    }
    else
    {
        ch |= 0x20U;
        if ((ch >= (uint8_t)'a') && (ch <= (uint8_t)'f'))
        {
            nib = (uint8_t)((ch - (uint8_t)'a') + 10U);
        }
    }
    return nib;
}

/*
 * The line is compacted while it is read: the write index never passes the
 * read index, so the terminating zero may fall on the delimiter just seen.
 */
int cmdline_tokenise(char *line, uint8_t *argpos, unsigned maxargs)
{
    unsigned rd = 0U;
    unsigned wr = 0U;
    unsigned argc = 0U;
    char delim;

    cmd_rest = 0U;

    for (;;)
    {
        char quote = '\0';

        while ((line[rd] == ' ') || (line[rd] == '\t'))
        {
            rd++;
        }
        if ((line[rd] == '\0') || (line[rd] == '#'))
        {
            break;
        }
        if (line[rd] == ';')
        {
            cmd_rest = (uint8_t)(rd + 1U);
            break;
        }
        if (argc >= maxargs)
        {
            return CLI_TOO_MANY;
        }
        argpos[argc] = (uint8_t)wr;
        argc++;

        for (;;)
        {
            char ch = line[rd];

            if (quote == '\0')
            {
                if ((ch == '\0') || (ch == ' ') || (ch == '\t') || (ch == ';'))
                {
                    break;
                }
                if ((ch == '\'') || (ch == '"'))
                {
                    quote = ch;
                    rd++;
                    continue;
                }
                if ((ch == '\\') && (line[rd + 1U] != '\0'))
                {
                    rd++;
                    ch = line[rd];
                }
            }
            else
            {
                if (ch == '\0')
                {
                    return CLI_UNTERMINATED;
                }
                if (ch == quote)
                {
                    quote = '\0';
                    rd++;
                    continue;
                }
                if ((ch == '\\') && (quote == '"'))
                {
                    switch (line[rd + 1U])
                    {
                    case 'n':
                        ch = '\n';
                        rd++;
                        break;
                    case 't':
                        ch = '\t';
                        rd++;
                        break;
                    case '\\':
                    case '"':
                        rd++;
                        ch = line[rd];
                        break;
                    case 'x':
                    {
                        uint8_t hi = HexNibble((uint8_t)line[rd + 2U]);
                        uint8_t lo;

                        if (hi > 15U)
                        {
                            return CLI_BAD_HEX;
                        }
                        lo = HexNibble((uint8_t)line[rd + 3U]);
                        if (lo > 15U)
                        {
                            return CLI_BAD_HEX;
                        }
                        ch = (char)(uint8_t)((hi << 4) | lo);
                        rd += 3U;
                        break;
                    }
                    default:
                        /* not an escape of ours: the backslash stands for itself */
                        break;
                    }
                }
            }
            line[wr] = ch;
            wr++;
            rd++;
        }

        delim = line[rd];
        line[wr] = '\0';
        wr++;
        if (delim == '\0')
        {
            break;
        }
        rd++;
        if (delim == ';')
        {
            cmd_rest = (uint8_t)rd;
            break;
        }
    }
    return (int)argc;
}
