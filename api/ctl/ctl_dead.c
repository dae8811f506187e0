/*
 * ctl_dead - notifyctl dead list and dead show: what was given up, and why
 *
 * Reads the ledger under the workers' role and changes nothing. Dead are deliveries, and events that died before they
 * reached any integration; both stand in one list. A message that never became an event has no row: it is only in the
 * queue notify.dead, and --unread leads there (ctl_dead_unread.c). What the filters mean stands once, in ctl_dead.h.
 */
#include "api/ctl/ctl_dead.h"

#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_output.h"
#include "api/ctl/ctl_story.h"
#include "api/service/rows_json.h"
#include "common/base/iso8601.h"

enum { LISTED_MAX = 100000, CHANGED_MAX = 100000000 };

#define DEAD_ROWS                                                                                            \
    " FROM (SELECT d.updated_at AS at, e.event_type, d.event_id, d.integration_id, d.attempt, d.status,"     \
    " d.reason, d.error, d.detail, d.owed"                                                                   \
    " FROM notify.deliveries d LEFT JOIN notify.events e ON e.id = d.event_id WHERE " DEAD_IS_DELIVERY       \
    " UNION ALL SELECT e.finished_at, e.event_type, e.id, NULL, NULL, NULL, e.reason, NULL, NULL, e.owed"    \
    " FROM notify.events e WHERE " DEAD_IS_EVENT ") x"                                                       \
    " LEFT JOIN public.integrations i ON i.id = x.integration_id"                                            \
    " ORDER BY x.at DESC, x.event_id, x.integration_id LIMIT $7::int"

static const char table_sql[] = "SELECT " OUTPUT_UTC(
    "x.at") " AS died_at, x.event_type AS event, x.event_id,"
            " coalesce(x.integration_id::text, '(the whole event)') AS integration_id,"
            " coalesce(i.kind, CASE WHEN x.integration_id IS NOT NULL THEN '(deleted)' END) AS kind,"
            " left(i.name, 30) AS name, x.attempt, x.status, x.reason, x.error, x.detail" DEAD_ROWS;

static const char json_sql[] =
    "SELECT CASE WHEN x.integration_id IS NULL THEN 'event' ELSE 'delivery' END AS what,"
    " " OUTPUT_UTC("x.at") " AS died_at, x.event_type, x.event_id, x.integration_id,"
                           " i.kind AS integration_kind, i.name AS integration_name, x.attempt, x.status, "
                           "x.reason, x.error, x.detail,"
                           " x.owed" DEAD_ROWS;

/* What only the ledger knows of; the option that was given, or NULL. */
static const char *ledger_option(const struct ctl *ctl)
{
    static const char *const names[] = {"--integration", "--error",      "--kind", "--workspace",
                                        "--scan",        "--event-type", "--rate"};
    if (ctl->words[1])
        return "INTEGRATION";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (ctl_value(ctl, names[i]))
            return names[i];
    return NULL;
}

static bool is_good(const struct ctl *ctl, const struct dead_filter *f)
{
    const char *wrong = ctl_value(ctl, "--unread") ? ledger_option(ctl) : NULL;
    if (wrong)
        fprintf(stderr,
                "notifyctl: an unread message belongs to no integration, event or workspace; leave %s out\n",
                wrong);
    return !wrong && ctl_is_uuid(ctl->words[1] ? "INTEGRATION" : "--integration", f->integration) &&
           ctl_is_listed("--reason", f->reason, "reasons") && ctl_is_listed("--error", f->error, "errors") &&
           ctl_is_listed("--kind", f->kind, "kinds") && ctl_is_uuid("--workspace", f->workspace) &&
           ctl_is_uuid("--scan", f->scan) && ctl_is_listed("--event-type", f->event_type, "events");
}

bool dead_filter_read(const struct ctl *ctl, long default_limit, struct dead_filter *out)
{
    struct dead_filter f = {
        .event = ctl->words[0],
        .integration = ctl->words[1] ? ctl->words[1] : ctl_value(ctl, "--integration"),
        .reason = ctl_value(ctl, "--reason"),
        .error = ctl_value(ctl, "--error"),
        .kind = ctl_value(ctl, "--kind"),
        .workspace = ctl_value(ctl, "--workspace"),
        .scan = ctl_value(ctl, "--scan"),
        .event_type = ctl_value(ctl, "--event-type"),
        .json = ctl_value(ctl, "--json") != NULL,
    };
    if (!is_good(ctl, &f) ||
        !ctl_number(ctl, "--limit", 1, default_limit ? LISTED_MAX : CHANGED_MAX, default_limit, &f.limit) ||
        !ctl_age(ctl, "--older-than", &f.older_than) || !ctl_age(ctl, "--younger-than", &f.younger_than) ||
        !ctl_time(ctl, "--since", &f.since) || !ctl_time(ctl, "--until", &f.until))
        return false;
    *out = f;
    return true;
}

bool dead_filter_is_meant(const struct ctl *ctl, const struct dead_filter *f, const char *verb)
{
    if (f->event || f->integration || f->reason || f->error || f->kind || f->workspace || f->scan ||
        f->event_type || f->older_than >= 0 || f->younger_than >= 0 || f->since >= 0 || f->until >= 0 ||
        ctl_value(ctl, "--all"))
        return true;
    fprintf(stderr, "notifyctl: to %s everything that is dead, say --all; else name an EVENT or a filter\n",
            verb);
    return false;
}

static const char *format_number(char text[DEAD_NUMBER_MAX], double number)
{
    if (number < 0)
        return NULL;
    snprintf(text, DEAD_NUMBER_MAX, "%.15g", number);
    return text;
}

static const char *format_time(char text[DEAD_NUMBER_MAX], int64_t unix_us)
{
    if (unix_us < 0)
        return NULL;
    iso8601_format(unix_us, text);
    return text;
}

void dead_values_fill(struct dead_values *out, const struct dead_filter *f, long limit)
{
    const char *const values[DEAD_VALUES] = {
        f->event,
        f->integration,
        f->reason,
        format_number(out->numbers[0], f->older_than),
        format_number(out->numbers[1], f->younger_than),
        NULL,
        format_number(out->numbers[2], limit ? (double)limit : -1),
        f->kind,
        f->workspace,
        f->event_type,
        f->scan,
        f->error,
        format_time(out->numbers[3], f->since),
        format_time(out->numbers[4], f->until),
    };
    memcpy(out->values, values, sizeof values);
}

enum ctl_exit ctl_dead_list(const struct ctl *ctl)
{
    struct dead_filter filter;
    struct dead_values v;
    struct db db;
    enum ctl_exit code = CTL_DONE;
    if (!dead_filter_read(ctl, 50, &filter))
        return CTL_WRONG_USE;
    if (ctl_value(ctl, "--unread"))
        return dead_unread_list(ctl, &filter);
    if (!ctl_open_db(ctl, &db, &code))
        return code;
    dead_values_fill(&v, &filter, filter.limit);
    PGresult *rows = db_query(&db, filter.json ? json_sql : table_sql, DEAD_VALUES, v.values);
    if (!rows)
        code = ctl_fail_db(&db);
    else if (filter.json)
        output_json(rows);
    else
        output_table(rows, true);
    PQclear(rows);
    db_close(&db);
    return code;
}

static bool print_story(struct db *db, const PGresult *event, const PGresult *deliveries)
{
    if (PQntuples(event)) {
        puts("event");
        output_record(event, 0, 2);
    }
    for (int i = 0; i < PQntuples(deliveries); i++) {
        puts("\ndelivery");
        if (!story_print_delivery(db, deliveries, i))
            return false;
    }
    return true;
}

static bool print_story_json(struct db *db, const PGresult *event, const PGresult *deliveries)
{
    struct buf out;
    bool good = true;
    buf_init(&out, OUTPUT_JSON_MAX);
    buf_add_text(&out, "{\"event\":");
    buf_add_text(&out, PQntuples(event) ? "{" : "null");
    if (PQntuples(event)) {
        rows_json_members(&out, event, 0, 0);
        buf_add_char(&out, '}');
    }
    buf_json_key(&out, "deliveries");
    buf_add_char(&out, '[');
    for (int i = 0; good && i < PQntuples(deliveries); i++) {
        buf_add_text(&out, i ? ",\n " : "");
        good = story_add_delivery(db, &out, deliveries, i);
    }
    buf_add_text(&out, "]}");
    if (good)
        puts(buf_text(&out));
    buf_free(&out);
    return good;
}

static enum ctl_exit show(struct db *db, const struct dead_filter *f)
{
    PGresult *event = story_event(db, f->event);
    PGresult *deliveries = event ? story_deliveries(db, f->event, f->integration) : NULL;
    enum ctl_exit code = CTL_DONE;
    if (!deliveries) {
        code = ctl_fail_db(db);
    } else if (!PQntuples(deliveries) && (!PQntuples(event) || f->integration)) {
        fprintf(stderr, "notifyctl: the ledger has no %s; see notifyctl dead list, or dead list --unread\n",
                PQntuples(event) ? "such delivery of this event" : "event with this id");
        code = CTL_NO;
    } else if (!(f->json ? print_story_json : print_story)(db, event, deliveries)) {
        code = ctl_fail_db(db);
    }
    PQclear(event);
    PQclear(deliveries);
    return code;
}

enum ctl_exit ctl_dead_show(const struct ctl *ctl)
{
    struct dead_filter filter;
    struct db db;
    enum ctl_exit code;
    if (!dead_filter_read(ctl, 0, &filter))
        return CTL_WRONG_USE;
    if (ctl_value(ctl, "--unread"))
        return dead_unread_show(ctl, &filter);
    if (!ctl_open_db(ctl, &db, &code))
        return code;
    code = show(&db, &filter);
    db_close(&db);
    return code;
}
