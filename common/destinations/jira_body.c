/*
 * jira_body - an event as an issue of Jira
 *
 * Pure. The summary is plain text to Jira, and so are the text nodes of a document, which Jira Cloud gets
 * (developer.atlassian.com/cloud/jira/platform/apis/document/structure): nothing in them is a mention, a link or markup. A
 * line break may not stand in one, and none may be empty. jira_wiki makes the same for Data Center.
 */
#include <string.h>

#include "common/destinations/alert.h"
#include "common/destinations/jira.h"

enum {
    RAW_MAX = 1 << 20, /* bytes of a description before it is known to fit */
    PARTS_SIZE = 65536,
};

/* Of one text, in characters: the first that lets everything fit. */
static const size_t paragraph_sizes[] = {10000, 4000, 1500, 500};
enum { PARAGRAPH_SIZES = sizeof paragraph_sizes / sizeof paragraph_sizes[0] };

typedef void description_adder(struct buf *out, const struct message *m, size_t paragraph_max,
                               struct arena *arena);

/* ---- nodes of a document ---- */

static void open_node(struct buf *b, const char *type)
{
    buf_json_open_item(b);
    buf_json_member(b, "type", type);
}

static void open_content(struct buf *b, const char *type)
{
    open_node(b, type);
    buf_json_open_list(b, "content");
}

static void close_content(struct buf *b)
{
    buf_add_text(b, "]}");
}

/* N bytes of TEXT; MARK is NULL for none. */
static void add_text_node(struct buf *b, const char *text, size_t n, const char *mark)
{
    if (n == 0)
        return;
    open_node(b, "text");
    buf_json_key(b, "text");
    buf_json_bytes(b, text, n);
    if (mark) {
        buf_json_open_list(b, "marks");
        open_node(b, mark);
        buf_add_text(b, "}]");
    }
    buf_add_char(b, '}');
}

void jira_document_add_line(struct buf *b, const char *type, const char *text, const char *mark)
{
    open_content(b, type);
    add_text_node(b, text, strlen(text), mark);
    close_content(b);
}

static void add_field(struct buf *b, const struct message_part *part)
{
    struct buf cut;
    buf_init(&cut, RAW_MAX);
    open_content(b, "listItem");
    open_content(b, "paragraph");
    add_text_node(b, part->label, strlen(part->label), "strong");
    buf_add_text(&cut, ": ");
    text_add_cut(&cut, part->text, JIRA_FIELD_MAX);
    add_text_node(b, buf_text(&cut), cut.len, NULL);
    close_content(b);
    close_content(b);
    buf_free(&cut);
}

static void add_paragraph(struct buf *b, const struct message_part *part, size_t max)
{
    struct buf cut;
    buf_init(&cut, RAW_MAX);
    text_add_cut(&cut, part->text, max);
    if (part->label) {
        open_node(b, "heading");
        buf_json_key(b, "attrs");
        buf_add_text(b, "{\"level\":3}");
        buf_json_open_list(b, "content");
        add_text_node(b, part->label, strlen(part->label), NULL);
        close_content(b);
    }
    open_content(b, "paragraph");
    for (const char *at = buf_text(&cut); *at;) {
        size_t n = strcspn(at, "\n");
        add_text_node(b, at, n, NULL);
        at += n;
        if (*at) {
            open_node(b, "hardBreak");
            buf_add_char(b, '}');
            at++;
        }
    }
    close_content(b);
    buf_free(&cut);
}

void jira_document_add(struct buf *b, const struct message *m, size_t paragraph_max, struct arena *arena)
{
    const char *left_out = message_left_out(m, arena);
    bool in_list = false;
    buf_add_text(b, "{\"version\":1,\"type\":\"doc\",\"content\":[");
    for (size_t i = 0; i < m->count; i++) {
        const struct message_part *part = &m->parts[i];
        if (part->dropped)
            continue;
        bool field = part->kind == MESSAGE_FIELD;
        if (in_list && !field)
            close_content(b);
        if (field && !in_list)
            open_content(b, "bulletList");
        in_list = field;
        if (field)
            add_field(b, part);
        else
            add_paragraph(b, part, paragraph_max);
    }
    if (in_list)
        close_content(b);
    if (left_out)
        jira_document_add_line(b, "paragraph", left_out, "em");
    jira_document_add_line(b, "paragraph", m->ids, "code");
    close_content(b);
}

/* ---- what fits ---- */

static bool fits(struct buf *out, description_adder *add, const struct message *m, size_t paragraph_max,
                 size_t max, struct arena *arena)
{
    buf_reset(out);
    add(out, m, paragraph_max, arena);
    return !out->overflow && text_length(buf_text(out), TEXT_UTF16_UNITS) <= max;
}

void jira_text_fit(struct buf *out, enum jira_layout layout, struct message *m, size_t max,
                   struct arena *arena)
{
    description_adder *add = layout == JIRA_WIKI ? jira_wiki_add : jira_document_add;
    size_t size = 0;
    while (!fits(out, add, m, paragraph_sizes[size], max, arena))
        if (size + 1 < PARAGRAPH_SIZES)
            size++;
        else if (!message_drop(m, true))
            break;
}

/* ---- the issue ---- */

static const char *last_line(const struct message *m, struct arena *arena)
{
    char marker[ALERT_MARKER_TEXT];
    if (!m->event)
        return m->ids;
    alert_marker(m->event, m->facts, marker);
    return arena_printf(arena, "%s · %s", m->ids, marker);
}

void jira_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    struct arena arena;
    struct message m;
    struct buf text;
    arena_init(&arena, PARTS_SIZE);
    buf_init(&text, RAW_MAX);
    message_build(&m, &arena, event, facts);
    m.ids = last_line(&m, &arena);
    buf_add_text(b, "{\"fields\":{");
    text_add_escaped(&text, m.headline, JIRA_SUMMARY_MAX, TEXT_UTF16_UNITS, NULL);
    buf_json_member(b, "summary", buf_text(&text));
    jira_text_fit(&text, (enum jira_layout)layout, &m, JIRA_DESCRIPTION_MAX, &arena);
    buf_json_key(b, "description");
    if (layout == JIRA_WIKI)
        buf_json_bytes(b, buf_text(&text), text.len);
    else
        buf_add(b, buf_text(&text), text.len);
    buf_free(&text);
    arena_free(&arena);
}
