/*
 * ctl_dead_unread - notifyctl dead ... --unread: messages that never became an event
 *
 * They have no row, because nothing in them was good enough for one; the dead letter in the queue notify.dead is all
 * there is. It is known by the header x-notify-sha256, which the copies of dead events and deliveries in the same queue
 * lack. To look, each message is got and put back when the channel closes, so the queue stays as it is but for the mark
 * "redelivered"; another reader of the queue does not see them meanwhile. To drop, those that match are acknowledged.
 *
 * Their bytes are whatever somebody sent: they are only ever shown through ctl_output. Messages become rows of a result
 * of libpq's, so that they are shown as everything else is.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl_broker.h"
#include "api/ctl/ctl_dead.h"
#include "api/ctl/ctl_output.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/iso8601.h"
#include "worker/own_message.h"
#include "worker/topology.h"

enum {
    LOOK_MAX = 10000,             /* messages that we hold at a time ... */
    HELD_MAX = 128 * 1024 * 1024, /* ... and bytes of them, in the broker's memory */
    NUMBER_TEXT = 24,
    PREFIX_MIN = 6, /* digits of a SHA-256 that name a message */
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_TEXT = 25,
};

/* X(enum, column, type). BODY is last, and only shown. */
#define COLUMNS(X)                                                                                           \
    X(FIRST_SEEN, "first_seen", TYPE_TEXT)                                                                   \
    X(REASON, "reason", TYPE_TEXT)                                                                           \
    X(QUEUE, "queue", TYPE_TEXT)                                                                             \
    X(ID, "message_id", TYPE_TEXT)                                                                           \
    X(TASK, "task", TYPE_TEXT)                                                                               \
    X(CONTENT_TYPE, "content_type", TYPE_TEXT)                                                               \
    X(SIZE, "size", TYPE_INT8)                                                                               \
    X(SHA256, "sha256", TYPE_TEXT)                                                                           \
    X(DETAIL, "detail", TYPE_TEXT)                                                                           \
    X(BODY, "body", TYPE_BYTEA)

#define COLUMN_ENUM(e, name, type) COLUMN_##e,
enum column { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };

struct walk {
    struct broker broker;
    struct broker_message message;
    const struct dead_filter *filter;
    PGresult *rows; /* what was found; NULL: it is dropped instead */
    bool with_body;
    long found;
    uint32_t looked, there; /* messages seen, and in the queue at first */
    size_t held;            /* bytes */
};

static const char *header_name(enum own_header header)
{
#define HEADER_NAME(e, name, help) name,
    static const char *const names[] = {OWN_HEADER_LIST(HEADER_NAME)};
    return names[header];
}

static bool bytes_are(amqp_bytes_t bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.bytes, text, bytes.len) == 0;
}

static const amqp_field_value_t *find_header(const struct walk *w, enum own_header header)
{
    const amqp_basic_properties_t *p = w->message.properties;
    if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG))
        return NULL;
    for (int i = 0; i < p->headers.num_entries; i++)
        if (bytes_are(p->headers.entries[i].key, header_name(header)))
            return &p->headers.entries[i].value;
    return NULL;
}

/* A header that is text; empty when it is not there. */
static amqp_bytes_t header_text(const struct walk *w, enum own_header header)
{
    const amqp_field_value_t *v = find_header(w, header);
    return v && v->kind == AMQP_FIELD_KIND_UTF8 ? v->value.bytes : amqp_empty_bytes;
}

/* A header that is a number, as we write them; -1 when it is not there. */
static int64_t header_number(const struct walk *w, enum own_header header)
{
    const amqp_field_value_t *v = find_header(w, header);
    return v && v->kind == AMQP_FIELD_KIND_I64 ? v->value.i64 : -1;
}

static amqp_bytes_t message_id(const struct walk *w)
{
    const amqp_basic_properties_t *p = w->message.properties;
    return p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG ? p->message_id : amqp_empty_bytes;
}

static bool is_named(const struct walk *w, const char *name)
{
    amqp_bytes_t hash = header_text(w, OWN_SHA256);
    size_t n = strlen(name);
    return bytes_are(message_id(w), name) ||
           (n >= PREFIX_MIN && n <= hash.len && memcmp(hash.bytes, name, n) == 0);
}

static bool matches(const struct walk *w)
{
    const struct dead_filter *f = w->filter;
    double seen_us = (double)header_number(w, OWN_FIRST_SEEN) * 1e3; /* whatever somebody wrote there */
    double age = ((double)clock_wall_us() - seen_us) / 1e6;
    return header_text(w, OWN_SHA256).len && (!f->event || is_named(w, f->event)) &&
           (!f->reason || bytes_are(header_text(w, OWN_REASON), f->reason)) &&
           (f->older_than < 0 || age >= f->older_than) && (f->younger_than < 0 || age <= f->younger_than) &&
           (f->since < 0 || seen_us >= (double)f->since) && (f->until < 0 || seen_us <= (double)f->until);
}

/* An empty result with the columns of a message. */
static PGresult *make_rows(bool with_body)
{
#define COLUMN_NAME(e, text, type)      static char name_##e[] = text; /* libpq takes no const */
#define COLUMN_ATTRIBUTE(e, text, type) {.name = name_##e, .typid = (type)},
    COLUMNS(COLUMN_NAME)
    PGresAttDesc columns[] = {COLUMNS(COLUMN_ATTRIBUTE)};
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    check(rows && PQsetResultAttrs(rows, with_body ? COLUMN_COUNT : COLUMN_BODY, columns));
    return rows;
}

static void set_value(struct walk *w, int row, enum column column, char *bytes, size_t n)
{
    check(PQsetvalue(w->rows, row, column, bytes, bytes && n ? (int)n : -1));
}

static void set_bytes(struct walk *w, int row, enum column column, amqp_bytes_t bytes)
{
    set_value(w, row, column, bytes.bytes, bytes.len);
}

static void set_body(struct walk *w, int row)
{
    const struct buf *body = &w->message.body;
    char *hex = mem_alloc(2 * body->len + 3);
    hex[0] = '\\';
    hex[1] = 'x';
    hash_hex((const unsigned char *)body->data, body->len, hex + 2);
    set_value(w, row, COLUMN_BODY, hex, 2 * body->len + 2);
    free(hex);
}

static void add_row(struct walk *w)
{
    static const struct {
        enum column column;
        enum own_header header;
    } texts[] = {{COLUMN_REASON, OWN_REASON}, {COLUMN_QUEUE, OWN_QUEUE},
                 {COLUMN_TASK, OWN_TASK},     {COLUMN_CONTENT_TYPE, OWN_CONTENT_TYPE},
                 {COLUMN_SHA256, OWN_SHA256}, {COLUMN_DETAIL, OWN_DETAIL}};
    int row = PQntuples(w->rows);
    char time[ISO8601_TEXT], size[NUMBER_TEXT];
    int64_t first_seen_ms = header_number(w, OWN_FIRST_SEEN), bytes = header_number(w, OWN_SIZE);
    iso8601_format((first_seen_ms < OWN_TIME_MAX_MS ? first_seen_ms : OWN_TIME_MAX_MS) * 1000, time);
    snprintf(size, sizeof size, "%lld", (long long)bytes);
    set_value(w, row, COLUMN_FIRST_SEEN, first_seen_ms < 0 ? NULL : time, strlen(time));
    set_bytes(w, row, COLUMN_ID, message_id(w));
    set_value(w, row, COLUMN_SIZE, bytes < 0 ? NULL : size, strlen(size));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        set_bytes(w, row, texts[i].column, header_text(w, texts[i].header));
    if (w->with_body)
        set_body(w, row);
}

/* Look at the message in hand; false when the broker failed. */
static bool look_at(struct walk *w)
{
    w->looked++;
    w->held += w->message.body.len;
    if (!matches(w))
        return true;
    w->found++;
    if (!w->rows)
        return broker_ack(&w->broker, &w->message);
    add_row(w);
    return true;
}

/* Go through what is in the queue, as far as the filter and our bounds let us; false when the broker failed. */
static bool walk(struct walk *w)
{
    struct broker_queue queue;
    bool any = true;
    if (!broker_look(&w->broker, TOPOLOGY_DEAD, &queue))
        return false;
    w->there = queue.messages;
    while (any && w->looked < w->there && w->looked < LOOK_MAX && w->held < HELD_MAX &&
           (!w->filter->limit || w->found < w->filter->limit)) {
        if (!broker_get(&w->broker, TOPOLOGY_DEAD, &w->message, &any) || (any && !look_at(w)))
            return false;
    }
    return broker_put_back(&w->broker);
}

/* Walk, and say what could not be looked at. The caller frees w->rows. */
static enum ctl_exit run(const struct ctl *ctl, struct walk *w)
{
    enum ctl_exit code = CTL_DONE;
    if (!broker_open(&w->broker, ctl->conf) || !walk(w))
        code = broker_fail(&w->broker);
    else if (w->looked < w->there && (!w->filter->limit || w->found < w->filter->limit))
        fprintf(stderr, "notifyctl: looked at the first %lu of %lu messages in " TOPOLOGY_DEAD "\n",
                (unsigned long)w->looked, (unsigned long)w->there);
    buf_free(&w->message.body);
    broker_close(&w->broker);
    return code;
}

enum ctl_exit dead_unread_list(const struct ctl *ctl, const struct dead_filter *filter)
{
    struct walk w = {.filter = filter, .rows = make_rows(false)};
    enum ctl_exit code = run(ctl, &w);
    if (code == CTL_DONE && filter->json)
        output_json(w.rows);
    else if (code == CTL_DONE)
        output_table(w.rows, true);
    PQclear(w.rows);
    return code;
}

enum ctl_exit dead_unread_show(const struct ctl *ctl, const struct dead_filter *filter)
{
    struct walk w = {.filter = filter, .rows = make_rows(true), .with_body = true};
    enum ctl_exit code = run(ctl, &w);
    if (code == CTL_DONE && !w.found) {
        fputs("notifyctl: no unread message has this id or SHA-256; see notifyctl dead list --unread\n",
              stderr);
        code = CTL_NO;
    } else if (code == CTL_DONE && filter->json) {
        output_json(w.rows);
    }
    for (int i = 0; code == CTL_DONE && !filter->json && i < PQntuples(w.rows); i++) {
        puts(i ? "\nmessage" : "message");
        output_record(w.rows, i, 2);
    }
    PQclear(w.rows);
    return code;
}

enum ctl_exit dead_unread_drop(const struct ctl *ctl, const struct dead_filter *filter)
{
    bool only_looks = ctl_value(ctl, "--dry-run") != NULL;
    struct walk w = {.filter = filter, .rows = only_looks ? make_rows(false) : NULL};
    enum ctl_exit code = run(ctl, &w);
    PQclear(w.rows);
    if (code != CTL_DONE)
        return code;
    if (filter->json)
        printf("{\"messages\":%ld}\n", w.found);
    else
        printf("%s %ld unread message%s\n", only_looks ? "would drop" : "dropped", w.found,
               w.found == 1 ? "" : "s");
    return w.found || !filter->event ? CTL_DONE : CTL_NO;
}
