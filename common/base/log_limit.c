/*
 * log_limit - a storm of one happening is no storm of lines
 *
 * Counts the lines of each event and level in an interval that begins with its first line. What comes beyond the burst is left
 * out and counted, and taken out again in one of two ways: by the next line of its like that is written, or, when none comes, by
 * whoever looks after the interval (log.c: before any other line, from the process's timer, and at its end). So nothing is left out
 * without being said. Invariants: a count is said once; `pending` is the number of entries that have one.
 *
 * Debug lines are not limited: whoever asks for them wants to see each step. Nor is what stands in LOG_UNLIMITED_LIST. The table
 * holds as many words as the programs have, several times over; should it be full, what finds no place is written.
 */
#include "common/base/log_limit.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"

enum { ENTRIES = 512 /* a power of two */ };

struct entry {
    const char *event; /* NULL: free */
    int level;
    int64_t since_us; /* when the interval began */
    long lines;       /* written in it */
    uint64_t left_out;
};

static struct entry entries[ENTRIES];
static size_t pending;
static int64_t
    due_us; /* before this, no interval of a pending entry is over; a storm need not look at each of its lines */
static long burst;
static int64_t interval_us;

static const char *const unlimited[] = {
#define UNLIMITED_EVENT(event, why) event,
    LOG_UNLIMITED_LIST(UNLIMITED_EVENT)};

static bool is_unlimited(const char *event)
{
    for (size_t i = 0; i < sizeof unlimited / sizeof *unlimited; i++)
        if (strcmp(unlimited[i], event) == 0)
            return true;
    return false;
}

void log_limit_set(long most, double interval_s)
{
    burst = most;
    interval_us = clock_us(interval_s);
}

void log_limit_forget(void)
{
    memset(entries, 0, sizeof entries);
    pending = 0;
}

/* Its entry, made if need be; NULL when the table is full. */
static struct entry *find(const char *event, int level)
{
    size_t at = (size_t)hash_text(event) + (size_t)level;
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &entries[(at + i) % ENTRIES];
        if (!e->event) {
            e->event = event;
            e->level = level;
            return e;
        }
        if (e->level == level && strcmp(e->event, event) == 0)
            return e;
    }
    return NULL;
}

static bool is_over(const struct entry *e, int64_t now_us)
{
    return now_us - e->since_us >= interval_us;
}

static uint64_t take(struct entry *e)
{
    uint64_t lines = e->left_out;
    pending -= lines > 0;
    e->left_out = 0;
    return lines;
}

static void note_left_out(struct entry *e, uint64_t lines)
{
    int64_t end_us = e->since_us + interval_us;
    if (pending == 0 || end_us < due_us)
        due_us = end_us;
    pending += e->left_out == 0;
    e->left_out += lines;
}

bool log_limit_admit(const char *event, int level, int64_t now_us, uint64_t *left_out)
{
    *left_out = 0;
    if ((burst == 0 && pending == 0) || level == LOG_DEBUG || is_unlimited(event))
        return true;
    struct entry *e = find(event, level);
    if (!e)
        return true;
    if (e->lines == 0 || is_over(e, now_us)) {
        e->since_us = now_us;
        e->lines = 0;
    }
    if (burst && e->lines >= burst) {
        note_left_out(e, 1);
        return false;
    }
    e->lines++;
    *left_out = take(e);
    return true;
}

void log_limit_put_back(const struct log_left_out *left_out)
{
    struct entry *e = find(left_out->event, left_out->level);
    if (e) /* it is there: entries stay */
        note_left_out(e, left_out->lines);
}

bool log_limit_take(bool all, int64_t now_us, struct log_left_out *out)
{
    int64_t next_us = INT64_MAX;
    if (pending == 0 || (!all && now_us < due_us))
        return false;
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &entries[i];
        if (!e->left_out)
            continue;
        if (!all && !is_over(e, now_us)) {
            next_us = e->since_us + interval_us < next_us ? e->since_us + interval_us : next_us;
            continue;
        }
        *out = (struct log_left_out){e->event, e->level, 0};
        out->lines = take(e);
        return true;
    }
    due_us = next_us;
    return false;
}
