/*
 * dest_fuzz_texts - hostile texts, and where they may be found in what is built from them
 *
 * Every text that anybody but us writes is in one table. The harmless twin of an event has, in place of each, one
 * character of Unicode's private use area that names it; so its document says where each text belongs, and what the
 * hostile one's strings must be.
 */
#include "tests/fuzz/dest_fuzz_texts.h"

#include <stddef.h>

#include "common/base/utf8.h"
#include "common/destinations/life.h"

enum { TEXT_MOST = 3300, SHORT_TEXT_MOST = 300, LONG_TEXTS = 7, MARK_SIZE = 3, SHOWN_MOST = 1 << 20 };

#define OF_EVENT(member)                                                                                     \
    {                                                                                                        \
        true, offsetof(struct event, member)                                                                 \
    }
#define OF_FACTS(member)                                                                                     \
    {                                                                                                        \
        false, offsetof(struct facts, member)                                                                \
    }

/* The first are made long now and then. */
static const struct place {
    bool in_event;
    size_t offset;
} places[] = {
    OF_FACTS(finding.title),
    OF_FACTS(target.name),
    OF_FACTS(finding.endpoint),
    OF_EVENT(error),
    OF_EVENT(change_summary),
    OF_FACTS(finding.description),
    OF_FACTS(finding.remediation),
    OF_FACTS(scan.grade),
    OF_FACTS(scan.profile),
    OF_FACTS(target.base_url),
    OF_FACTS(scan.error),
    OF_EVENT(id),
    OF_FACTS(target.kind),
    OF_FACTS(scan.status),
    OF_FACTS(finding.parameter),
    OF_FACTS(finding.category),
    OF_FACTS(finding.owasp_category),
    OF_FACTS(finding.cwe_id),
    OF_FACTS(finding.cvss_vector),
    OF_FACTS(finding.verification_status),
    OF_FACTS(finding.suppress_reason),
    OF_FACTS(finding.reachability),
    OF_FACTS(finding.pencheff_finding_id),
    OF_FACTS(finding.resolved_at),
    OF_FACTS(finding.created_at),
};
enum { PLACES = sizeof places / sizeof places[0] };

static const char **text_at(size_t i, struct event *event, struct facts *facts)
{
    return (const char **)((places[i].in_event ? (char *)event : (char *)facts) + places[i].offset);
}

static const char *text_of(size_t i, const struct dest_fuzz_case *c)
{
    const char *base = places[i].in_event ? (const char *)&c->event : (const char *)&c->facts;
    return *(const char *const *)(base + places[i].offset);
}

/* Nothing: NULL. A byte 1 alone: an empty text. A byte 255 and another: the rest, so many times. */
static const char *some_text(struct fuzz_input *in, struct arena *a, size_t most)
{
    size_t n, times = 1;
    const char *text = fuzz_text(in, a, &n);
    if (n == 0)
        return NULL;
    if (n == 1 && *text == 1)
        return "";
    if (n > 2 && (unsigned char)*text == 0xff) {
        times = (unsigned char)text[1];
        text += 2;
        n -= 2;
    }
    if (n > most)
        n = most;
    if (times * n > most)
        times = most / n;
    char *many = arena_alloc(a, n * times + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(many + i * n, text, n);
    return utf8_storable_copy(a, many, n * times, most);
}

static double some_number(struct fuzz_input *in)
{
    double value = 0;
    unsigned char bytes[sizeof value];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = fuzz_byte(in);
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void read_numbers(struct fuzz_input *in, struct event *event, struct facts *facts)
{
    struct facts_finding *f = &facts->finding;
    event->type = (enum event_type)(fuzz_byte(in) % EVENT_TYPE_COUNT);
    f->severity = (enum severity)(fuzz_byte(in) % SEVERITY_COUNT);
    uint8_t flags = fuzz_byte(in);
    facts->has_finding = event_is_about_finding(event->type);
    f->has_cvss_score = flags & 1;
    f->has_epss = flags & 2;
    f->has_risk_score = flags & 4;
    facts->scan.has_score = flags & 8;
    f->kev = flags & 16;
    f->suppressed = flags & 32;
    facts->scan.score = fuzz_byte(in) - 128;
    f->cvss_score = some_number(in);
    f->epss = some_number(in);
    f->risk_score = some_number(in);
    memset(facts->scan.id.bytes, 0x11, sizeof facts->scan.id.bytes);
    memset(f->id.bytes, 0x22, sizeof f->id.bytes);
}

static bool is_shown(const struct dest_fuzz *d, const char *text)
{
    struct buf out;
    buf_init(&out, SHOWN_MOST);
    d->show(&out, text, 0);
    bool any = out.len > 0;
    buf_free(&out);
    return any || d->shows_empty;
}

/* The mark of text I, U+E000 and so on. */
static const char *mark_of(struct arena *a, size_t i)
{
    const char mark[MARK_SIZE] = {(char)0xee, (char)0x80, (char)(0x80 + i)};
    return arena_text(a, mark, MARK_SIZE);
}

void dest_fuzz_case_read(const struct dest_fuzz *d, struct fuzz_input *in, struct arena *a,
                         struct dest_fuzz_case *c)
{
    memset(c, 0, sizeof *c);
    read_numbers(in, &c->event, &c->facts);
    c->facts.scan.summary_json = some_text(in, a, SHORT_TEXT_MOST);
    c->facts.finding.severity_text = some_text(in, a, SHORT_TEXT_MOST);
    for (size_t i = 0; i < PLACES; i++)
        *text_at(i, &c->event, &c->facts) = some_text(in, a, i < LONG_TEXTS ? TEXT_MOST : SHORT_TEXT_MOST);
    if (!c->event.id)
        c->event.id = "e";
    c->twin_event = c->event;
    c->twin_facts = c->facts;
    for (size_t i = 0; i < PLACES; i++) {
        const char **text = text_at(i, &c->twin_event, &c->twin_facts);
        if (*text)
            *text = is_shown(d, *text) ? mark_of(a, i) : "";
    }
    /* Words of ours that say whether the finding is closed: with others the twin's event would be about something else. */
    if (life_end_of(&c->facts.finding) != life_end_of(&c->twin_facts.finding))
        c->twin_facts.finding.verification_status = c->facts.finding.verification_status;
}

/* ---- comparing ---- */

static const char ellipsis[] = "\xe2\x80\xa6";
enum { ELLIPSIS_SIZE = sizeof ellipsis - 1 };

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* TEMPLATE, a string of the twin, with the texts in place of their marks. */
static void put_back(const struct dest_fuzz *d, const struct dest_fuzz_case *c, const char *template, int way,
                     struct buf *out)
{
    for (const char *at = template; *at;) {
        size_t i = (unsigned char)at[0] == 0xee && (unsigned char)at[1] == 0x80
                       ? (size_t)(unsigned char)at[2] - 0x80
                       : PLACES;
        const char *text = i < PLACES ? text_of(i, c) : NULL;
        if (text)
            d->show(out, text, way);
        else
            buf_add_char(out, *at);
        at += text ? MARK_SIZE : 1;
    }
}

/* All of what a string says whose twin is TEMPLATE, at a kind that escapes strings as a whole. */
static void add_wanted(const struct dest_fuzz *d, const struct dest_fuzz_case *c, const char *template,
                       int way, struct buf *out)
{
    struct buf texts;
    buf_init(&texts, SHOWN_MOST);
    put_back(d, c, template, way, &texts);
    d->escape(out, buf_text(&texts), way);
    buf_free(&texts);
}

/* What stands in TEMPLATE behind its last mark. */
static const char *tail_of(const char *template)
{
    const char *tail = template;
    for (const char *at = template; (at = strstr(at, "\xee\x80")); at++)
        tail = at + MARK_SIZE;
    return tail;
}

static bool ends_in(const char *text, size_t n, const char *end)
{
    size_t size = strlen(end);
    return n >= size && memcmp(text + n - size, end, size) == 0;
}

/* A beginning of WANT with U+2026 and perhaps the end of what stands behind the last text. */
static bool is_cut(const char *text, const struct buf *want, const char *tail)
{
    size_t n = strlen(text), end = ELLIPSIS_SIZE;
    for (;; tail++) {
        size_t size = ends_in(text, n, tail) ? n - strlen(tail) : 0;
        if (ends_in(text, size, ellipsis) && want->len > size - end &&
            memcmp(want->data, text, size - end) == 0)
            return true;
        if (!*tail)
            return false;
    }
}

static bool explains_whole(const struct dest_fuzz *d, const struct dest_fuzz_case *c, const char *template,
                           const char *text)
{
    bool explained = false;
    for (int way = 0; way < d->ways && !explained; way++) {
        struct buf want;
        buf_init(&want, SHOWN_MOST);
        add_wanted(d, c, template, way, &want);
        explained = strcmp(buf_text(&want), text) == 0 || (d->cuts && is_cut(text, &want, tail_of(template)));
        buf_free(&want);
    }
    return explained;
}

static bool explains(const struct dest_fuzz *d, const struct dest_fuzz_case *c, const char *template,
                     const char *text);

/* SHOWN, or where the kind cuts a beginning of it and an ellipsis, and then what the rest of the template says. */
static bool explains_shown(const struct dest_fuzz *d, const struct dest_fuzz_case *c, const char *shown,
                           const char *template, const char *text)
{
    size_t same = 0;
    if (begins(text, shown) && explains(d, c, template, text + strlen(shown)))
        return true;
    while (d->cuts && text[same] && text[same] == shown[same])
        same++;
    for (size_t at = same + 1; d->cuts && at-- > 0;)
        if (begins(text + at, ellipsis) &&
            (!text[at + ELLIPSIS_SIZE] || explains(d, c, template, text + at + ELLIPSIS_SIZE)))
            return true;
    return false;
}

/* Whether TEXT is TEMPLATE, a string of the twin, with the texts in place of their marks, each in one of the kind's ways. */
static bool explains(const struct dest_fuzz *d, const struct dest_fuzz_case *c, const char *template,
                     const char *text)
{
    for (; *template; template ++, text++) {
        size_t i = (unsigned char)template[0] == 0xee && (unsigned char)template[1] == 0x80
                       ? (size_t)(unsigned char)template[2] - 0x80
                       : PLACES;
        if (i < PLACES && text_of(i, c)) {
            bool explained = false;
            for (int way = 0; way < d->ways && !explained; way++) {
                struct buf shown;
                buf_init(&shown, SHOWN_MOST);
                d->show(&shown, text_of(i, c), way);
                explained = explains_shown(d, c, buf_text(&shown), template + MARK_SIZE, text);
                buf_free(&shown);
            }
            return explained;
        }
        if (d->cuts && strcmp(text, ellipsis) == 0)
            return true;
        if (*text != *template)
            return false;
    }
    return !*text;
}

static void compare_text(const struct dest_fuzz *d, const struct dest_fuzz_case *c,
                         struct json_object *hostile, struct json_object *twin)
{
    const char *text = json_object_get_string(hostile), *template = json_object_get_string(twin);
    check(strlen(text) == (size_t)json_object_get_string_len(hostile));
    check(strcmp(text, template) == 0 ||
          (d->escape ? explains_whole(d, c, template, text) : explains(d, c, template, text)));
}

static void compare(const struct dest_fuzz *d, const struct dest_fuzz_case *c, struct json_object *hostile,
                    struct json_object *twin);

/* The same names in the same order. */
static void compare_members(const struct dest_fuzz *d, const struct dest_fuzz_case *c,
                            struct json_object *hostile, struct json_object *twin)
{
    struct json_object_iterator at = json_object_iter_begin(hostile), other = json_object_iter_begin(twin);
    struct json_object_iterator end = json_object_iter_end(hostile);
    check(json_object_object_length(hostile) == json_object_object_length(twin));
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at), json_object_iter_next(&other)) {
        check(strcmp(json_object_iter_peek_name(&at), json_object_iter_peek_name(&other)) == 0);
        compare(d, c, json_object_iter_peek_value(&at), json_object_iter_peek_value(&other));
    }
}

static void compare(const struct dest_fuzz *d, const struct dest_fuzz_case *c, struct json_object *hostile,
                    struct json_object *twin)
{
    enum json_type type = json_object_get_type(hostile);
    check(type == json_object_get_type(twin));
    switch (type) {
    case json_type_string:
        compare_text(d, c, hostile, twin);
        break;
    case json_type_object:
        compare_members(d, c, hostile, twin);
        break;
    case json_type_array:
        check(json_object_array_length(hostile) == json_object_array_length(twin));
        for (size_t i = 0; i < json_object_array_length(hostile); i++)
            compare(d, c, json_object_array_get_idx(hostile, i), json_object_array_get_idx(twin, i));
        break;
    default:
        check(strcmp(json_object_get_string(hostile) ? json_object_get_string(hostile) : "null",
                     json_object_get_string(twin) ? json_object_get_string(twin) : "null") == 0);
    }
}

void dest_fuzz_case_compare(const struct dest_fuzz *d, const struct dest_fuzz_case *c,
                            struct json_object *hostile, struct json_object *twin)
{
    if (d->align)
        d->align(hostile, twin);
    compare(d, c, hostile, twin);
}
