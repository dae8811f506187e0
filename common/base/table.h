#ifndef NOTIFY_BASE_TABLE_H
#define NOTIFY_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A hash table from a 64-bit hash to pointers, chained through an entry that is embedded in the member.
 * The caller compares full keys: table_first and table_next walk the members of one hash.
 */
struct table_entry {
    struct table_entry *next;
    uint64_t hash;
};

struct table {
    struct table_entry **slots;
    size_t slot_count; /* a power of two; 0 before the first insertion */
    size_t count;
};

void table_init(struct table *t);
/* Frees the slots, not the members. */
void table_free(struct table *t);
void table_insert(struct table *t, struct table_entry *e, uint64_t hash);
/* E must be a member. */
void table_remove(struct table *t, struct table_entry *e);
struct table_entry *table_first(const struct table *t, uint64_t hash);
/* The next member with the same hash. */
struct table_entry *table_next(const struct table_entry *e);
/* Any member, NULL when empty: to take everything out. */
struct table_entry *table_any(const struct table *t);

#endif
