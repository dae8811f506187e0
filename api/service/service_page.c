/*
 * service_page - lists, a page at a time
 *
 * A page ends with a cursor, which names its last row in base64url, so that nobody builds one by hand and so that rows that
 * come and go move no page. A cursor is untrusted: what is none of ours is an error.
 */
#include "api/service/service_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"
#include "common/model/words.h"

enum {
    CURSOR_MAX = 1024,      /* bytes: a time, a UUID, and a name of 200 characters or the id of an event */
    FULL = 4 * 1024 * 1024, /* bytes: a hundred integrations with a thousand targets each */
};

static bool is_time(const char *text)
{
    size_t sign = *text == '-', digits = strspn(text + sign, "0123456789");
    return digits >= 1 && digits <= 16 && !text[sign + digits];
}

static bool is_uuid(const char *text)
{
    struct uuid uuid;
    return uuid_parse(&uuid, text);
}

static const char *cursor_make(struct service_call *call, const char *const *parts, size_t count)
{
    struct buf text, out;
    buf_init(&text, CURSOR_MAX);
    buf_init(&out, 2 * CURSOR_MAX);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&text, i ? " " : "");
        buf_add_text(&text, parts[i]);
    }
    check(!text.overflow);
    base64_encode(BASE64_URL, buf_text(&text), text.len, &out);
    const char *cursor = arena_text(&call->arena, buf_text(&out), strcspn(buf_text(&out), "="));
    buf_free(&text);
    buf_free(&out);
    return cursor;
}

static bool cursor_read(struct service_call *call, const char *cursor, enum service_page_form form,
                        const char **parts, size_t count)
{
    unsigned char text[CURSOR_MAX];
    size_t n = strlen(cursor);
    if (base64_decoded_max(n) > sizeof text ||
        !base64_decode(BASE64_URL, BASE64_LENIENT, cursor, n, text, &n) ||
        !utf8_is_storable((const char *)text, n))
        return false;
    char *at = arena_text(&call->arena, (const char *)text, n);
    for (size_t i = 0; i < count; i++) {
        char *blank = i + 1 < count ? strchr(at, ' ') : NULL;
        if (i + 1 < count && !blank)
            return false;
        parts[i] = at;
        if (blank)
            *blank = '\0';
        at = blank ? blank + 1 : at;
    }
    if (form == PAGE_BY_TEXT)
        return is_uuid(parts[0]);
    return is_time(parts[0]) && (form == PAGE_OF_EVENTS || is_uuid(parts[1]));
}

void service_page_read(struct service_call *call, const char *limit, const char *cursor,
                       enum service_page_form form, const char **behind, size_t count)
{
    call->own->limit = SERVICE_LIMIT_DEFAULT;
    if (limit) {
        char *end;
        errno = 0;
        call->own->limit = strtol(limit, &end, 10);
        if (errno || *limit < '0' || *limit > '9' || *end || call->own->limit < 1 ||
            call->own->limit > SERVICE_LIMIT_MAX)
            service_wrong(call, "limit", "limit must be a whole number from 1 to 500");
    }
    if (cursor && !cursor_read(call, cursor, form, behind, count))
        service_wrong(call, "cursor",
                      "cursor must be one from the Link header of the page before, as it stood there");
}

void service_page_begin(struct service_call *call)
{
    buf_reset(&call->own->list);
    buf_add_char(&call->own->list, '[');
}

struct buf *service_page_add(struct service_call *call)
{
    if (call->own->list.len > 1)
        buf_add_text(&call->own->list, ",\n ");
    return &call->own->list;
}

void service_page_end(struct service_call *call, const char *const *last, size_t count)
{
    buf_add_char(&call->own->list, ']');
    call->next = last[0] ? cursor_make(call, last, count) : NULL;
}

bool service_page_is_full(const struct service_call *call)
{
    return call->own->list.len >= FULL;
}

void service_page_finish(struct service_call *call)
{
    service_answer_list(call);
}

const char *service_states(struct service_call *call, const char *state, bool have_reason)
{
    const char *out = "";
    for (int i = 0; i < DELIVERY_STATE_COUNT; i++) {
        const char *name = delivery_state_name((enum delivery_state)i);
        bool has = i == DELIVERY_DEAD || i == DELIVERY_CANCELED || i == DELIVERY_DROPPED;
        if (state ? strcmp(state, name) == 0 : has || !have_reason)
            out = arena_printf(&call->arena, "%s%s%s", out, *out ? "," : "", name);
    }
    return arena_printf(&call->arena, "{%s}", out);
}
