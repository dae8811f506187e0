/*
 * kept_settings - what a pool has found out or was told while it ran, from one layout of the shared memory to another
 *
 * Owns the table of such settings and nothing else. Called by the supervisor only.
 */
#include "worker/kept_settings.h"

#include <stdlib.h>
#include <string.h>

#include "worker/handover.h"
#include "worker/shared.h"

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

static const struct {
    const char *name;
    void (*write)(struct buf *to);
    void (*take)(const char *value);
} rows[] = {{"due_late", write_due_late, take_due_late}};

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
