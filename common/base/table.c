/*
 * table - a growing hash table with embedded entries
 *
 * Owns only its slots. Invariant: at most one member per slot on average; it doubles when that is exceeded
 * and never shrinks, since its users are bounded by settings.
 */
#include "common/base/table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

void table_init(struct table *t)
{
    memset(t, 0, sizeof *t);
}

void table_free(struct table *t)
{
    free(t->slots);
    table_init(t);
}

static struct table_entry **slot_of(const struct table *t, uint64_t hash)
{
    return &t->slots[(hash ^ hash >> 32) & (t->slot_count - 1)];
}

static void grow(struct table *t)
{
    struct table old = *t;
    t->slot_count = old.slot_count ? old.slot_count * 2 : 64;
    t->slots = mem_zalloc(t->slot_count * sizeof *t->slots);
    for (size_t i = 0; i < old.slot_count; i++) {
        struct table_entry *e = old.slots[i];
        while (e) {
            struct table_entry *next = e->next;
            struct table_entry **slot = slot_of(t, e->hash);
            e->next = *slot;
            *slot = e;
            e = next;
        }
    }
    free(old.slots);
}

void table_insert(struct table *t, struct table_entry *e, uint64_t hash)
{
    if (t->count >= t->slot_count)
        grow(t);
    struct table_entry **slot = slot_of(t, hash);
    e->hash = hash;
    e->next = *slot;
    *slot = e;
    t->count++;
}

void table_remove(struct table *t, struct table_entry *e)
{
    check(t->slot_count > 0);
    struct table_entry **at = slot_of(t, e->hash);
    while (*at && *at != e)
        at = &(*at)->next;
    check(*at == e);
    *at = e->next;
    e->next = NULL;
    t->count--;
}

struct table_entry *table_first(const struct table *t, uint64_t hash)
{
    if (!t->slot_count)
        return NULL;
    struct table_entry *e = *slot_of(t, hash);
    while (e && e->hash != hash)
        e = e->next;
    return e;
}

struct table_entry *table_next(const struct table_entry *e)
{
    uint64_t hash = e->hash;
    struct table_entry *at = e->next;
    while (at && at->hash != hash)
        at = at->next;
    return at;
}

struct table_entry *table_any(const struct table *t)
{
    for (size_t i = 0; i < t->slot_count; i++)
        if (t->slots[i])
            return t->slots[i];
    return NULL;
}
