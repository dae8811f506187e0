#ifndef NOTIFY_CTL_CTL_DEAD_H
#define NOTIFY_CTL_CTL_DEAD_H

#include "api/ctl/ctl.h"

/* Which dead things a command is about: its words and options. Texts are the command line's; NULL: any. */
struct dead_filter {
    const char *event; /* with --unread: a message id, or the start of a SHA-256 */
    const char *integration;
    const char *reason;
    const char *error;
    const char *kind; /* of the integration */
    const char *workspace;
    const char *scan;
    const char *event_type;
    double older_than;   /* seconds; below 0: not given */
    double younger_than; /* likewise */
    int64_t since;       /* microseconds since 1970; -1: not given */
    int64_t until;       /* likewise */
    long limit;          /* 0: none */
    bool json;
};

/* Read it; false when something was wrong, which was said on standard error. DEFAULT_LIMIT: 0 for none. */
bool dead_filter_read(const struct ctl *ctl, long default_limit, struct dead_filter *out);
/* Something narrows it down, or the command line says --all; false, and said on standard error, when nothing does. */
bool dead_filter_is_meant(const struct ctl *ctl, const struct dead_filter *filter, const char *verb);

/*
 * The filter as parameters of a statement: $1 event, $2 integration, $3 reason, $4 and $5 ages in seconds, $6 a time of
 * the database's from which they are counted (NULL: now; else what died later is not met, so that what dies again while
 * a command runs is left alone), $7 how many (NULL: all), $8 kind, $9 workspace, $10 event type, $11 scan, $12 error, $13 and
 * $14 the first and last time.
 */
#define DEAD_FILTER(id, reason, at, workspace)                                                               \
    " ($1::text IS NULL OR " id " = $1) AND ($3::text IS NULL OR " reason " = $3)"                           \
    " AND ($9::uuid IS NULL OR " workspace " = $9)"                                                          \
    " AND ($4::float8 IS NULL OR " at " <= coalesce($6::timestamptz, now()) - $4 * interval '1 second')"     \
    " AND ($5::float8 IS NULL OR " at " >= coalesce($6::timestamptz, now()) - $5 * interval '1 second')"     \
    " AND ($13::timestamptz IS NULL OR " at " >= $13) AND ($14::timestamptz IS NULL OR " at " <= $14)"       \
    " AND ($6::timestamptz IS NULL OR " at " <= $6)"
/* Of "notify.deliveries d", of "notify.events e". */
#define DEAD_IS_DELIVERY                                                                                     \
    " d.state = 'dead' AND ($2::uuid IS NULL OR d.integration_id = $2)"                                      \
    " AND ($12::text IS NULL OR d.error = $12)"                                                              \
    " AND ($8::text IS NULL OR EXISTS (SELECT FROM public.integrations k WHERE k.id = d.integration_id"      \
    " AND k.kind = $8)) AND ($10::text IS NULL AND $11::uuid IS NULL OR EXISTS (SELECT FROM notify.events o" \
    " WHERE o.id = d.event_id AND ($10 IS NULL OR o.event_type = $10) AND ($11 IS NULL OR o.scan_id = "      \
    "$11)))"                                                                                                 \
    " AND" DEAD_FILTER("d.event_id", "d.reason", "d.updated_at", "d.workspace_id")
#define DEAD_IS_EVENT                                                                                        \
    " e.state = 'dead' AND $2::uuid IS NULL AND $8::text IS NULL AND $12::text IS NULL"                      \
    " AND ($10::text IS NULL OR e.event_type = $10) AND ($11::uuid IS NULL OR e.scan_id = $11)"              \
    " AND" DEAD_FILTER("e.id", "e.reason", "e.finished_at", "e.workspace_id")

enum { DEAD_SINCE = 5, DEAD_LIMIT = 6, DEAD_VALUES = 14, DEAD_NUMBER_MAX = 32 };
/* Parameters; points into itself and into the filter, so neither may move. */
struct dead_values {
    const char *values[DEAD_VALUES];
    char numbers[5][DEAD_NUMBER_MAX];
};
/* All but $6, which is NULL, and with LIMIT as $7 (0: none). */
void dead_values_fill(struct dead_values *out, const struct dead_filter *filter, long limit);

/* The same for messages of notify.dead that never became an event. */
enum ctl_exit dead_unread_list(const struct ctl *ctl, const struct dead_filter *filter);
enum ctl_exit dead_unread_show(const struct ctl *ctl, const struct dead_filter *filter);
enum ctl_exit dead_unread_drop(const struct ctl *ctl, const struct dead_filter *filter);

#endif
