/*
 * event - what a producer said
 *
 * Pure. The content hash tells a second copy of an event (delivered again, published twice) from another
 * event under the same id. It covers what was said, not how: the Celery form, protocol 1 and 2, and the plain
 * form of the same event hash alike.
 */
#include "common/model/event.h"

#include <stddef.h>
#include <string.h>

#include "common/base/utf8.h"

#include "common/base/buf.h"

enum { CONTENT_USUAL = 200 /* bytes; only texts make it longer */ };

static void add_part(struct buf *b, const void *bytes, size_t n)
{
    /* Length first, so that no two different lists of parts give the same bytes. */
    buf_add_int(b, (int64_t)n);
    buf_add_char(b, ':');
    buf_add(b, bytes, n);
}

static void add_text_part(struct buf *b, const char *text)
{
    if (text)
        add_part(b, text, strlen(text));
    else
        buf_add_char(b, '-');
}

#define EXPAND_WORD "notify_scan_findings"

const char *event_ledger_word(const struct event *event)
{
    return event->expand ? EXPAND_WORD : event_type_name(event->type);
}

bool event_ledger_word_parse(struct event *event, const char *word)
{
    int type = event_type_parse(word);
    event->expand = strcmp(word, EXPAND_WORD) == 0;
    event->type = event->expand ? EVENT_SCAN_DONE : (enum event_type)type;
    return event->expand || type >= 0;
}

void event_hash_content(struct event *event)
{
    struct buf b;
    buf_init(&b, 3 * EVENT_TEXT_MAX);
    buf_reserve(&b, CONTENT_USUAL);
    add_text_part(&b, event_ledger_word(event));
    add_part(&b, event->scan_id.bytes, sizeof event->scan_id.bytes);
    if (event->has_finding)
        add_part(&b, event->finding_id.bytes, sizeof event->finding_id.bytes);
    else
        buf_add_char(&b, '-');
    add_text_part(&b, event->change_summary);
    add_text_part(&b, event->error);
    hash_sha256(b.data, b.len, event->content_hash);
    buf_free(&b);
}

struct trace event_trace(const struct event *event)
{
    struct trace made = {0};
    if (event->trace.known || !event->id)
        return event->trace;
    trace_make(&made, event->id);
    return made;
}

const char *event_log_id(const struct event *event)
{
    return event ? event->id : NULL;
}

const char *event_trace_text(const struct event *event, char out[TRACE_ID_TEXT])
{
    if (!event)
        return NULL;
    struct trace trace = event_trace(event);
    if (!trace.known)
        return NULL;
    trace_id_format(&trace, out);
    return out;
}

bool event_is_about_finding(enum event_type type)
{
    return type == EVENT_FINDING_NEW || type == EVENT_FINDING_CHANGED;
}

bool event_id_is_good(const char *id)
{
    size_t n = strlen(id);
    return n >= 1 && n <= EVENT_ID_MAX && utf8_is_storable(id, n);
}
