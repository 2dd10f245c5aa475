#include <stdint.h>

extern uint32_t nor_size;

void    nor_select(int on);
void    nor_send(uint8_t b);
uint8_t nor_recv(void);
void    nor_yield(void);

#define NOR_WREN  0x06
#define NOR_RDSR  0x05
#define NOR_PP    0x02
#define NOR_PP4B  0x12

#define SR_WIP 0x01
#define SR_WEL 0x02

#define PAGE 256u
#define POLLS 20

static uint8_t read_status(void)
{
    uint8_t sr;

    nor_select(1);
    nor_send(NOR_RDSR);
    sr = nor_recv();
    nor_select(0);
    return sr;
}

int nor_page_program(uint32_t addr, const uint8_t *data, unsigned len)
{
    int pages = 0, rc;
    uint64_t end = (uint64_t)addr + len;
    int wide = end > 0x1000000u;

    if (end > nor_size)
        return -3;

    while (len) {
        unsigned room = PAGE - addr % PAGE;
        unsigned take = len < room ? len : room;
        unsigned lo = 0, hi = take, i;
        int tries;

        /* erased bytes need no programming */
        while (lo < hi && data[lo] == 0xff)
            lo++;
        while (hi > lo && data[hi - 1] == 0xff)
            hi--;

        if (lo < hi) {
            uint32_t a = addr + lo;

            nor_select(1);
            nor_send(NOR_WREN);
            nor_select(0);
            if (!(read_status() & SR_WEL)) {
                rc = -1;
                goto out;
            }

            nor_select(1);
            nor_send(wide ? NOR_PP4B : NOR_PP);
            if (wide)
                nor_send((uint8_t)(a >> 24));
            nor_send((uint8_t)(a >> 16));
            nor_send((uint8_t)(a >> 8));
            nor_send((uint8_t)a);
            for (i = lo; i < hi; i++)
                nor_send(data[i]);
            nor_select(0);

            for (tries = POLLS; tries > 0; tries--) {
                if (!(read_status() & SR_WIP))
                    break;
                nor_yield();
            }
            if (tries == 0) {
                rc = -2;
                goto out;
            }
            pages++;
        }
        addr += take;
        data += take;
        len -= take;
    }
    return pages;

out:
    /* leave the part deselected even if the bus driver got confused */
    nor_select(0);
    return rc;
}
