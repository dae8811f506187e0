/*
 * keys - Idempotency-Keys of requests whose outcome is not known
 *
 * When no answer came to a request, whoever made it may well make it again, and a new key would carry it out twice. So its key is kept
 * here for the same request, until one is answered. The API keeps its answers for a day; a key that is older does no harm, since it is
 * then as a new one.
 *
 * Owns copies of what is kept, a few in number and each at most as long as a line of the client. No request in it holds settings.
 */
#include "api/mcp/keys.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

enum { KEYS_MAX = 32 };

struct keys {
    struct kept {
        char *what, *key; /* NULL: free */
    } kept[KEYS_MAX];
    size_t next; /* to be used: the oldest when all are */
};

struct keys *keys_new(void)
{
    return mem_zalloc(sizeof(struct keys));
}

static void drop(struct kept *one)
{
    free(one->what);
    free(one->key);
    *one = (struct kept){NULL, NULL};
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < KEYS_MAX; i++)
        drop(&k->kept[i]);
    free(k);
}

static size_t find(const struct keys *k, const char *what)
{
    size_t i = 0;
    while (i < KEYS_MAX && (!k->kept[i].what || strcmp(k->kept[i].what, what) != 0))
        i++;
    return i;
}

const char *keys_find(const struct keys *k, const char *what)
{
    size_t i = find(k, what);
    return i < KEYS_MAX ? k->kept[i].key : NULL;
}

void keys_keep(struct keys *k, const char *what, const char *key)
{
    if (find(k, what) < KEYS_MAX)
        return;
    struct kept *one = &k->kept[k->next];
    k->next = (k->next + 1) % KEYS_MAX;
    drop(one);
    *one = (struct kept){mem_strdup(what), mem_strdup(key)};
}

void keys_forget(struct keys *k, const char *what)
{
    size_t i = find(k, what);
    if (i < KEYS_MAX)
        drop(&k->kept[i]);
}
