#include <stdint.h>
#include <stddef.h>

enum tlv_kind
{
    TLV_NUM,            /* u.num, signed content in an unsigned cell */
    TLV_BIG,            /* u.big */
    TLV_STR,            /* u.str */
    TLV_GROUP,          /* u.child */
    TLV_OPTGROUP,       /* u.child, left out when empty */
    TLV_BLOB            /* u.num bytes that live in flash */
};

struct tlvnode
{
    uint16_t tag;
    uint8_t  kind;
    uint8_t  nchild;
    union
    {
        const struct tlvnode *child;
        uint32_t              num;
        const char           *str;
        int64_t               big;
    } u;
    const struct tlvnode *next;
};

#define TLVF_DEEP       0x01u
#define TLVF_LARGE      0x02u
#define TLVF_DUPLICATE  0x04u
#define TLVF_CHILDREN   0x08u
#define TLVF_KIND       0x10u

#define TLV_MAX_DEPTH   10u
#define TLV_MAX_STR     60
#define TLV_MAX_BLOB    0x00FFFFFFu

/* tag, length and contents of one element */
static int32_t framed(uint16_t tag, int32_t body)
{
    int32_t head = tag < 0x80u ? 1 : 2;

    if (body < 0x80)
        head += 1;
    else if (body < 0x100)
        head += 2;
    else
        head += 3;
    return head + body;
}

static int32_t signed_bytes(int64_t v)
{
    uint64_t m = v < 0 ? ~(uint64_t)v : (uint64_t)v;
    int32_t  bytes = 1;

    while (m > 0x7Fu)
    {
        m >>= 8;
        bytes++;
    }
    return bytes;
}

int32_t tlv_tree_measure(const struct tlvnode *n, unsigned depth, uint8_t *flags)
{
    const struct tlvnode *first = n;
    int32_t total = 0;

    if (depth > TLV_MAX_DEPTH)
    {
        *flags |= TLVF_DEEP;
        return 0;
    }

    for (; n != NULL; n = n->next)
    {
        int32_t body = 0;

        for (const struct tlvnode *o = first; o != n; o = o->next)
        {
            if (o->tag == n->tag)
            {
                *flags |= TLVF_DUPLICATE;
                break;
            }
        }

        switch (n->kind)
        {
        case TLV_NUM:
            body = signed_bytes((int32_t)n->u.num);
            break;

        case TLV_BIG:
            body = signed_bytes(n->u.big);
            break;

        case TLV_STR:
            if (n->u.str != NULL)
            {
                while (body < TLV_MAX_STR && n->u.str[body] != '\0')
                    body++;
            }
            break;

        case TLV_GROUP:
        case TLV_OPTGROUP:
        {
            unsigned seen = 0;

            for (const struct tlvnode *c = n->u.child; c != NULL; c = c->next)
                seen++;
            if (seen != n->nchild)
                *flags |= TLVF_CHILDREN;

            body = tlv_tree_measure(n->u.child, depth + 1u, flags);
            if (body == 0 && n->kind == TLV_OPTGROUP)
                continue;
            if (body > 0xFFFF)
                *flags |= TLVF_LARGE;
            break;
        }

        case TLV_BLOB:
            body = (int32_t)(n->u.num > TLV_MAX_BLOB ? TLV_MAX_BLOB : n->u.num);
            break;

        default:
            *flags |= TLVF_KIND;
            continue;
        }

        total += framed(n->tag, body);
    }

    return total;
}
