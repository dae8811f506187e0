/*
 * ctl_stats - notifyctl stats: how much there is of everything
 *
 * Counts in the ledger and asks the broker for the depths of the queues. When one of the two servers is away
 * the other's figures are still printed, the missing ones are null (or left out of the tables), and the exit
 * code says that the picture is not whole. Counting reads the whole ledger; what may be asked for again and again is in
 * ctl_watch.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_broker.h"
#include "api/ctl/ctl_output.h"
#include "common/base/buf.h"

enum { OUTPUT_MAX = 4 * 1024 * 1024 };

static const double count_timeout = 60; /* seconds: counting a big ledger takes longer than a look-up */

/* One figure or table of the ledger. */
struct section {
    const char *name; /* in JSON */
    const char *title;
    const char *sql;
    bool single; /* one row or none: an object or null in JSON */
};

/* clang-format off */
static const struct section sections[] = {
    {"deliveries", "Deliveries",
        "SELECT d.state, coalesce(i.kind, '(deleted)') AS kind, count(*) AS count FROM notify.deliveries d"
        " LEFT JOIN public.integrations i ON i.id = d.integration_id GROUP BY 1, 2 ORDER BY 1, 2",
        false},
    {"oldest_waiting", "Oldest waiting delivery",
        "SELECT event_id, integration_id, attempt, " OUTPUT_UTC("created_at") " AS created_at, "
        OUTPUT_UTC("due_at") " AS due_at, round(extract(epoch FROM now() - created_at))::bigint AS age_seconds"
        " FROM notify.deliveries WHERE state IN ('waiting', 'deferred') ORDER BY notify.deliveries.created_at LIMIT 1",
        true},
    {"integrations", "Integrations that fail, are broken or have a mailbox",
        "SELECT s.integration_id, coalesce(i.kind, '(deleted)') AS kind, d.deferred, "
        OUTPUT_UTC("d.oldest") " AS oldest, " OUTPUT_UTC("s.failing_since") " AS failing_since, s.last_error, "
        OUTPUT_UTC("b.since") " AS broken_since, " OUTPUT_UTC("s.circuit_until") " AS circuit_until, s.rate, "
        OUTPUT_UTC("s.wake_at") " AS wake_at FROM notify.integration_state s"
        " LEFT JOIN public.integrations i ON i.id = s.integration_id"
        " CROSS JOIN LATERAL (SELECT count(*) AS deferred, min(due_at) AS oldest FROM notify.deliveries"
        " WHERE integration_id = s.integration_id AND state = 'deferred') d"
        " CROSS JOIN LATERAL (SELECT CASE WHEN s.broken_row <> '' AND i.id IS NOT NULL THEN s.broken_since END AS since) b"
        " WHERE s.wake_at IS NOT NULL OR s.failing_since IS NOT NULL OR b.since IS NOT NULL"
        " ORDER BY d.deferred DESC, 1 LIMIT 100",
        false},
    {"events", "Events", "SELECT state, count(*) AS count FROM notify.events GROUP BY 1 ORDER BY 1", false},
};
/* clang-format on */

static PGresult *ask(struct db *db, const struct section *s, bool json)
{
    if (!json)
        return db_query(db, s->sql, 0, NULL);
    char sql[2048];
    snprintf(sql, sizeof sql,
             s->single ? "SELECT coalesce((SELECT row_to_json(x) FROM (%s) x)::text, 'null')"
                       : "SELECT coalesce(json_agg(x), '[]')::text FROM (%s) x",
             s->sql);
    return db_query(db, sql, 0, NULL);
}

static enum ctl_exit add_ledger(const struct ctl *ctl, bool json, struct buf *out)
{
    struct db db;
    enum ctl_exit code = CTL_DONE;
    bool open = ctl_open_db(ctl, &db, &code);
    if (open)
        db.timeout = count_timeout;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        PGresult *rows = open ? ask(&db, &sections[i], json) : NULL;
        if (open && !rows) {
            code = ctl_fail_db(&db);
            db_close(&db);
            open = false;
        }
        if (json) {
            buf_json_key(out, sections[i].name);
            buf_add_text(out, rows ? PQgetvalue(rows, 0, 0) : "null");
        } else if (rows) {
            printf("%s\n", sections[i].title);
            output_table(rows, false);
            putchar('\n');
        }
        PQclear(rows);
    }
    if (open)
        db_close(&db);
    return code;
}

static void add_queue(const char *name, const struct broker_queue *queue, bool json, struct buf *out)
{
    if (!json && queue->exists)
        printf("%-24s %8" PRIu32 " %10" PRIu32 "\n", name, queue->messages, queue->consumers);
    else if (!json)
        printf("%-24s %8s %10s\n", name, "-", "-");
    if (!json)
        return;
    buf_add_text(out, out->data[out->len - 1] == '[' ? "{" : ",{");
    buf_json_key(out, "name");
    buf_json_text(out, name);
    buf_printf(out, ",\"exists\":%s,\"messages\":%" PRIu32 ",\"consumers\":%" PRIu32 "}",
               queue->exists ? "true" : "false", queue->messages, queue->consumers);
}

static enum ctl_exit add_queues(const struct ctl *ctl, bool json, struct buf *out)
{
    const char *name;
    struct broker broker;
    struct broker_queue queue;
    struct buf list;
    bool good = broker_open(&broker, ctl->conf);
    buf_init(&list, OUTPUT_MAX);
    buf_add_char(&list, '[');
    if (good && !json)
        printf("%-24s %8s %10s\n", "Queue", "messages", "consumers");
    for (size_t i = 0; good && (name = broker_queue_name(ctl->conf, i)); i++) {
        good = broker_look(&broker, name, &queue);
        if (good)
            add_queue(name, &queue, json, &list);
    }
    buf_add_char(&list, ']');
    buf_json_key(out, "queues");
    buf_add_text(out, good ? buf_text(&list) : "null");
    buf_free(&list);
    enum ctl_exit code = good ? CTL_DONE : broker_fail(&broker);
    broker_close(&broker);
    return code;
}

enum ctl_exit ctl_stats(const struct ctl *ctl)
{
    bool json = ctl_value(ctl, "--json") != NULL;
    struct buf out;
    if (ctl_value(ctl, "--watch"))
        return ctl_stats_watch(ctl);
    buf_init(&out, OUTPUT_MAX);
    buf_add_char(&out, '{');
    enum ctl_exit ledger = add_ledger(ctl, json, &out);
    enum ctl_exit queues = add_queues(ctl, json, &out);
    buf_add_char(&out, '}');
    if (json)
        printf("%s\n", buf_text(&out));
    buf_free(&out);
    return ledger != CTL_DONE ? ledger : queues;
}
