/*
 * kept_settings - what a pool has found out or was told while it ran, from one layout of the shared memory to another
 *
 * Owns the table of such settings and nothing else. Called by the supervisor only.
 */
#include "worker/kept_settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "worker/handover.h"
#include "worker/shared.h"

/* Of all queues: a letter, the digits and a space each. */
_Static_assert(PRESENCE_QUEUES * 2 * PRESENCE_QUEUE_BYTES <= HANDOVER_VALUE, "the table of queues must fit");

#define LATE_MOST 1e6 /* seconds; longer than any retry waits */

static void write_due_late(struct buf *to)
{
    if (shared_due_lateness() > 0)
        buf_printf(to, "%.6f", shared_due_lateness());
}

/* Without it the sweep would take for lost what is only late, until the workers have seen again how late. */
static void take_due_late(const char *value)
{
    double seconds = strtod(value, NULL);
    if (seconds > 0 && seconds < LATE_MOST)
        shared_due_late(seconds);
}

static void write_started(struct buf *to)
{
    buf_printf(to, "%lld", (long long)shared_started_us());
}

static void take_started(const char *value)
{
    long long us = strtoll(value, NULL, 10);
    if (us > 0 && us < shared_started_us())
        shared_set_started(us);
}

/* A letter for the state and the name in hexadecimal digits (it may hold any byte), with spaces between them. */
static void write_queues(struct buf *to)
{
    const struct presence_shared *p = shared_presence();
    for (uint32_t i = 0; i < p->queue_count && i < PRESENCE_QUEUES; i++) {
        const struct presence_queue *q = &p->queues[i];
        char hex[2 * PRESENCE_QUEUE_BYTES + 1];
        if (q->state == PRESENCE_QUEUE_AS_CONFIGURED)
            continue;
        hash_hex((const unsigned char *)q->name, strlen(q->name), hex);
        buf_printf(to, "%s%c%s", to->len ? " " : "", q->state == PRESENCE_QUEUE_ADDED ? 'a' : 'c', hex);
    }
}

/* The name of LENGTH hexadecimal digits; false when that is none. */
static bool take_name(const char *hex, size_t length, char name[PRESENCE_QUEUE_BYTES])
{
    if (length == 0 || length % 2 || length / 2 >= PRESENCE_QUEUE_BYTES ||
        strspn(hex, "0123456789abcdef") < length)
        return false;
    for (size_t i = 0; i < length / 2; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], 0};
        name[i] = (char)strtol(digits, NULL, 16);
    }
    name[length / 2] = 0;
    return strlen(name) == length / 2;
}

static void take_queues(const char *value)
{
    while (*value) {
        size_t length = strcspn(value, " ");
        char name[PRESENCE_QUEUE_BYTES];
        if (length > 1 && (*value == 'a' || *value == 'c') && take_name(value + 1, length - 1, name))
            presence_shared_set_queue(name, *value == 'a' ? PRESENCE_QUEUE_ADDED : PRESENCE_QUEUE_CANCELLED);
        value += length;
        value += strspn(value, " ");
    }
}

static const struct {
    const char *name;
    void (*write)(struct buf *to);
    void (*take)(const char *value);
} rows[] = {{"due_late", write_due_late, take_due_late},
            {"started_us", write_started, take_started},
            {"queues", write_queues, take_queues}};

void kept_settings_write(struct buf *to)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf value;
        buf_init(&value, HANDOVER_VALUE);
        rows[i].write(&value);
        if (value.len)
            handover_write_setting(to, rows[i].name, buf_text(&value));
        buf_free(&value);
    }
}

void kept_settings_take(const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            rows[i].take(value);
}
