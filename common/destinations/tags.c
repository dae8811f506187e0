/*
 * tags - by what people filter tickets and alerts
 *
 * Pure. What a scanner wrote into a finding's OWASP and CWE columns may be anything: a tag is made of the code at its
 * beginning ("A03:2021 Injection" is owasp-a03), and of a text that has none no tag is made, so nothing hostile gets into
 * a list in which every new word makes a label for everybody.
 */
#include "common/destinations/tags.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/check.h"
#include "common/destinations/text.h"

enum { CODE_MAX = 8, TEXT_SIZE = 1024 };

static void add(struct tags *out, const char *tag)
{
    for (size_t i = 0; i < out->count; i++)
        if (strcasecmp(out->items[i], tag) == 0)
            return;
    check(out->count < TAGS_MAX);
    out->items[out->count++] = tag;
}

/* Whether a word of N bytes, at most CODE_MAX, is at the beginning of TEXT. */
static bool is_code(const char *text, size_t n)
{
    return n > 0 && n <= CODE_MAX && (text[n] == 0 || strchr(" :-_", text[n]));
}

static void add_tag(struct tags *out, struct arena *arena, const char *prefix, const char *code, size_t n)
{
    char *tag = arena_printf(arena, "%s%.*s", prefix, (int)n, code);
    for (char *p = tag; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    add(out, tag);
}

/* "A03", "API1", "LLM01": letters and then digits. */
static void add_owasp(struct tags *out, struct arena *arena, const char *text)
{
    size_t letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    size_t n = letters + strspn(text + letters, "0123456789");
    if (letters > 0 && n > letters && is_code(text, n))
        add_tag(out, arena, "owasp-", text, n);
}

/* "CWE-89", "89". */
static void add_cwe(struct tags *out, struct arena *arena, const char *text)
{
    const char *number = text + (strncasecmp(text, "cwe-", 4) == 0 ? 4 : 0);
    size_t n = strspn(number, "0123456789");
    if (*number != '0' && is_code(number, n))
        add_tag(out, arena, "cwe-", number, n);
}

static void add_finding(struct tags *out, struct arena *arena, const struct facts_finding *f)
{
    struct buf text;
    buf_init(&text, TEXT_SIZE);
    text_add_clean(&text, f->owasp_category, TEXT_ONE_LINE);
    add_owasp(out, arena, buf_text(&text));
    buf_reset(&text);
    text_add_clean(&text, f->cwe_id, TEXT_ONE_LINE);
    add_cwe(out, arena, buf_text(&text));
    buf_free(&text);
}

void tags_build(struct tags *out, struct arena *arena, const struct event *event, const struct facts *facts,
                const struct dest_config_list *own)
{
    out->count = 0;
    add(out, "security");
    add(out, "pencheff");
    if (event && event_is_about_finding(event->type))
        add_finding(out, arena, &facts->finding);
    for (size_t i = 0; own && i < own->count; i++)
        add(out, own->items[i]);
}

void tags_add_json(struct buf *b, const char *key, const char *const *items, size_t count)
{
    if (count == 0)
        return;
    buf_json_open_list(b, key);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        buf_json_text(b, items[i]);
    }
    buf_add_char(b, ']');
}
