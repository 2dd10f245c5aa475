/**
 * @file  Index tree of the symbol cache.
 *
 * Links are indexes into the pool so that the whole tree can be copied to
 * the shadow bank with one transfer.
 */
#include <stdint.h>

#define NIL     ((int8_t)-1)
#define POOL    40

struct avl_node
{
    int32_t key;
    int8_t  left, right;
    int8_t  height;     /* a leaf has 1 */
    uint8_t count;      /* how often the key was inserted */
    uint8_t sub;        /* nodes in this subtree */
};

struct avl
{
    struct avl_node pool[POOL];
    int8_t  free_list;  /* threaded through left */
    uint8_t rotations;
};

static int8_t height_of(const struct avl *t, int8_t i)
{
    return i == NIL ? 0 : t->pool[i].height;
}

static uint8_t sub_of(const struct avl *t, int8_t i)
{
    return i == NIL ? 0 : t->pool[i].sub;
}

static void refresh(struct avl *t, int8_t i)
{
    struct avl_node *n = &t->pool[i];
    int8_t hl = height_of(t, n->left);
    int8_t hr = height_of(t, n->right);

    n->height = (int8_t)((hl > hr ? hl : hr) + 1);
    n->sub = (uint8_t)(sub_of(t, n->left) + sub_of(t, n->right) + 1);
}

static int8_t rotate_right(struct avl *t, int8_t i)
{
    int8_t up = t->pool[i].left;

    t->pool[i].left = t->pool[up].right;
    t->pool[up].right = i;
    refresh(t, i);
    refresh(t, up);
    t->rotations++;
    return up;
}

static int8_t rotate_left(struct avl *t, int8_t i)
{
    int8_t up = t->pool[i].right;

    t->pool[i].right = t->pool[up].left;
    t->pool[up].left = i;
    refresh(t, i);
    refresh(t, up);
    t->rotations++;
    return up;
}

int8_t avl_insert_node(struct avl *t, int8_t root, int8_t node)
{
    if (node < 0 || node >= POOL)
    {
        return root;
    }

    struct avl_node *fresh = &t->pool[node];

    if (root == NIL)
    {
        fresh->left = NIL;
        fresh->right = NIL;
        fresh->height = 1;
        fresh->count = 1;
        fresh->sub = 1;
        return node;
    }

    struct avl_node *here = &t->pool[root];

    if (fresh->key == here->key)
    {
        if (here->count < UINT8_MAX)
        {
            here->count++;
        }
        fresh->left = t->free_list;
        fresh->right = NIL;
        fresh->count = 0;
        t->free_list = node;
        return root;
    }

    if (fresh->key < here->key)
    {
        here->left = avl_insert_node(t, here->left, node);
    }
    else
    {
        here->right = avl_insert_node(t, here->right, node);
    }
    refresh(t, root);

    int balance = height_of(t, here->left) - height_of(t, here->right);

    if (balance > 1)
    {
        const struct avl_node *l = &t->pool[here->left];
        if (height_of(t, l->left) < height_of(t, l->right))
        {
            here->left = rotate_left(t, here->left);
        }
        return rotate_right(t, root);
    }
    if (balance < -1)
    {
        const struct avl_node *r = &t->pool[here->right];
        if (height_of(t, r->right) < height_of(t, r->left))
        {
            here->right = rotate_right(t, here->right);
        }
        return rotate_left(t, root);
    }
    return root;
}
