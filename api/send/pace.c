/*
 * pace - so many at once, and then one each pause, for each name
 *
 * A bucket for each name, which is filled one by one. One that is full again is as good as none and is let go when the next
 * comes; so few are kept, and their number has a bound all the same. Pure but for memory: time is the caller's.
 */
#include "api/send/pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/base/table.h"

enum { NAME_SIZE = 64 };

struct bucket {
    struct table_entry by_name;
    struct list link; /* by when it was used, the longest ago first */
    char name[NAME_SIZE];
    double left;
    int64_t filled_us;
};

struct pace {
    double burst, pause_us;
    struct table buckets;
    struct list by_age;
};

static struct bucket *find(const struct pace *p, const char *name)
{
    for (struct table_entry *at = table_first(&p->buckets, hash_text(name)); at; at = table_next(at)) {
        struct bucket *b = list_entry(at, struct bucket, by_name);
        if (strcmp(b->name, name) == 0)
            return b;
    }
    return NULL;
}

static void forget(struct pace *p, struct bucket *b)
{
    table_remove(&p->buckets, &b->by_name);
    list_remove(&b->link);
    free(b);
}

static void fill(const struct pace *p, struct bucket *b, int64_t now_us)
{
    b->left += (double)(now_us - b->filled_us) / p->pause_us;
    b->left = b->left < p->burst ? b->left : p->burst;
    b->filled_us = now_us;
}

/* Those that are full again; and one, when there are too many. */
static void forget_old(struct pace *p, int64_t now_us)
{
    while (!list_is_empty(&p->by_age)) {
        struct bucket *b = list_entry(p->by_age.next, struct bucket, link);
        fill(p, b, now_us);
        if (b->left < p->burst && p->buckets.count < PACE_MAX)
            break;
        forget(p, b);
    }
}

static struct bucket *add(struct pace *p, const char *name, int64_t now_us)
{
    struct bucket *b = mem_zalloc(sizeof *b);
    snprintf(b->name, sizeof b->name, "%s", name);
    list_init(&b->link);
    list_append(&p->by_age, &b->link);
    b->left = p->burst;
    b->filled_us = now_us;
    table_insert(&p->buckets, &b->by_name, hash_text(name));
    return b;
}

double pace_take(struct pace *p, const char *who, int64_t now_us)
{
    check(strlen(who) < NAME_SIZE);
    struct bucket *b = find(p, who);
    if (!b) {
        forget_old(p, now_us);
        b = add(p, who, now_us);
    }
    fill(p, b, now_us);
    if (b->left < 1)
        return (1 - b->left) * p->pause_us / 1e6;
    b->left--;
    list_remove(&b->link);
    list_append(&p->by_age, &b->link);
    return 0;
}

size_t pace_count(const struct pace *p)
{
    return p->buckets.count;
}

struct pace *pace_new(int burst, double pause_s)
{
    struct pace *p = mem_zalloc(sizeof *p);
    p->burst = burst;
    p->pause_us = pause_s * 1e6;
    table_init(&p->buckets);
    list_init(&p->by_age);
    return p;
}

void pace_free(struct pace *p)
{
    if (!p)
        return;
    while (!list_is_empty(&p->by_age))
        forget(p, list_entry(p->by_age.next, struct bucket, link));
    table_free(&p->buckets);
    free(p);
}
