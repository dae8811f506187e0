/*
 * jira_comment - what is added to an issue when something happens to its finding
 *
 * Pure. A comment begins with what is done about it (life_words), which depends on what was told before; the rest depends on
 * the event and its finding only, and is made once for all integrations: the event's line, what changed, and of the facts those
 * that somebody who has the issue has to know. In a service project a comment is for the team and not for its customers
 * (developer.atlassian.com/cloud/jira/service-desk, property sd.public.comment); elsewhere the property means nothing.
 */
#include <string.h>

#include "common/destinations/jira.h"

enum { RAW_MAX = 1 << 20, PARTS_SIZE = 65536 };

#define DOCUMENT_HEAD "{\"version\":1,\"type\":\"doc\",\"content\":["
#define FOR_THE_TEAM  ",\"properties\":[{\"key\":\"sd.public.comment\",\"value\":{\"internal\":true}}]}"

/* ---- the part that is shared ---- */

static bool matters(const struct message_part *part)
{
    if (part->kind == MESSAGE_PARAGRAPH)
        return !part->label;
    return strcmp(part->label, "Severity") == 0 || strcmp(part->label, "Status") == 0 ||
           strcmp(part->label, "Closed") == 0;
}

/* Of M, in its order, what a comment says. */
static void keep_what_matters(struct message *m)
{
    struct message all = *m;
    m->parts[0] = (struct message_part){.kind = MESSAGE_PARAGRAPH, .text = all.headline};
    m->count = 1;
    for (size_t i = 0; i < all.count && m->count < MESSAGE_PARTS_MAX; i++)
        if (matters(&all.parts[i]))
            m->parts[m->count++] = all.parts[i];
}

void jira_comment_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    bool wiki = layout == JIRA_COMMENT + JIRA_WIKI;
    struct arena arena;
    struct message m;
    struct buf text;
    arena_init(&arena, PARTS_SIZE);
    buf_init(&text, RAW_MAX);
    message_build(&m, &arena, event, facts);
    keep_what_matters(&m);
    jira_text_fit(&text, wiki ? JIRA_WIKI : JIRA_DOCUMENT, &m, JIRA_COMMENT_MAX, &arena);
    if (wiki)
        buf_json_bytes(b, buf_text(&text), text.len);
    else
        buf_add(b, buf_text(&text), text.len);
    buf_free(&text);
    arena_free(&arena);
}

/* ---- the words before it ---- */

/* WORDS on one line, short. */
static void add_words(struct buf *out, const char *words, text_escape *escape)
{
    struct buf clean, cut;
    buf_init(&clean, RAW_MAX);
    buf_init(&cut, RAW_MAX);
    text_add_clean(&clean, words, TEXT_ONE_LINE);
    text_add_cut(&cut, buf_text(&clean), JIRA_WORDS_MAX);
    text_add_escaped(out, buf_text(&cut), RAW_MAX, TEXT_BYTES, escape);
    buf_free(&clean);
    buf_free(&cut);
}

static void add_document(struct buf *out, const char *words, const struct buf *told)
{
    const char *rest = buf_text(told) + strlen(DOCUMENT_HEAD);
    buf_add_text(out, DOCUMENT_HEAD);
    jira_document_add_line(out, "paragraph", words, "strong");
    buf_add_char(out, ',');
    buf_add_text(out, rest);
}

/* Two JSON strings become one. */
static void add_wiki(struct buf *out, const char *words, const struct buf *told)
{
    struct buf first;
    buf_init(&first, RAW_MAX);
    buf_json_text(&first, words);
    buf_add(out, first.data, first.len - 1);
    buf_add_text(out, "\\n\\n");
    buf_add_text(out, buf_text(told) + 1);
    buf_free(&first);
}

void jira_comment_add(struct buf *out, enum jira_layout layout, const char *words, const struct buf *told)
{
    struct buf shown;
    buf_init(&shown, RAW_MAX);
    add_words(&shown, words, layout == JIRA_WIKI ? jira_escape_lines : NULL);
    buf_add_text(out, "{\"body\":");
    if (layout == JIRA_WIKI)
        add_wiki(out, buf_text(&shown), told);
    else
        add_document(out, buf_text(&shown), told);
    buf_add_text(out, FOR_THE_TEAM);
    buf_free(&shown);
}
