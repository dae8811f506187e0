/*
 * answer - what is kept of an HTTP answer
 *
 * Pure. Bounded, whatever arrives: a body up to its cap, of the header the fields that dest.h lists, the first of each
 * name; interim answers (HTTP's 1xx) leave nothing behind. Knows no curl.
 */
#include "common/egress/answer.h"

#include <string.h>
#include <strings.h>

static const char *const field_names[ANSWER_FIELD_COUNT] = {
#define FIELD_NAME(symbol, name) [ANSWER_##symbol] = (name),
    DEST_ANSWER_FIELDS(FIELD_NAME)};

void answer_init(struct answer *a, size_t body_max, size_t headers_max)
{
    memset(a, 0, sizeof *a);
    buf_init(&a->body, body_max);
    buf_init(&a->values, ANSWER_FIELD_COUNT * (ANSWER_VALUE_MAX + 1));
    a->headers_max = headers_max;
}

void answer_free(struct answer *a)
{
    buf_free(&a->body);
    buf_free(&a->values);
}

static void forget_fields(struct answer *a)
{
    buf_reset(&a->values);
    memset(a->at, 0, sizeof a->at);
}

void answer_reset(struct answer *a, size_t body_max)
{
    if (a->body.cap > body_max + 1)
        buf_free(&a->body);
    buf_reset(&a->body);
    a->body.max = body_max;
    forget_fields(a);
    a->header_bytes = 0;
    a->headers_too_large = a->cut = false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void keep(struct answer *a, enum dest_answer_field field, const char *value, size_t n)
{
    while (n > 0 && is_blank(value[n - 1]))
        n--;
    while (n > 0 && is_blank(*value)) {
        value++;
        n--;
    }
    if (a->at[field] || n == 0 || n > ANSWER_VALUE_MAX || memchr(value, 0, n) ||
        a->values.len + n + 1 > a->values.max)
        return;
    a->at[field] = a->values.len + 1;
    buf_add(&a->values, value, n);
    buf_add_char(&a->values, 0);
}

bool answer_add_header(struct answer *a, const char *line, size_t n)
{
    a->header_bytes += n;
    if (a->header_bytes > a->headers_max) {
        a->headers_too_large = true;
        return false;
    }
    if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
        forget_fields(a); /* an interim answer came before */
    const char *colon = memchr(line, ':', n);
    size_t name = colon ? (size_t)(colon - line) : 0;
    for (int i = 0; name && i < ANSWER_FIELD_COUNT; i++)
        if (strlen(field_names[i]) == name && strncasecmp(field_names[i], line, name) == 0)
            keep(a, (enum dest_answer_field)i, colon + 1, n - name - 1);
    return true;
}

bool answer_add_body(struct answer *a, const char *bytes, size_t n)
{
    size_t room = a->body.max - a->body.len;
    buf_add(&a->body, bytes, n < room ? n : room);
    a->cut |= n > room;
    return n <= room;
}

void answer_fill(const struct answer *a, struct dest_response *r)
{
    r->body = buf_text(&a->body);
    r->body_size = a->body.len;
    r->truncated = a->cut;
    for (int i = 0; i < ANSWER_FIELD_COUNT; i++)
        r->fields[i] = a->at[i] ? a->values.data + a->at[i] - 1 : NULL;
}
