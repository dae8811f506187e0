/*
 * http_problem - errors as RFC 9457 has them, in one place
 */
#include "api/http/http_problem.h"

#include "common/base/buf.h"

enum { PROBLEM_MAX = 65536 };

const char *http_status_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "";
}

static void add_errors(struct buf *b, const struct http_field_error *errors, size_t count)
{
    if (count == 0)
        return;
    buf_json_open_list(b, "errors");
    for (size_t i = 0; i < count; i++) {
        buf_json_open_item(b);
        buf_json_member(b, "field", errors[i].field);
        buf_json_member(b, "detail", errors[i].detail);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

static void open_problem(struct buf *b, const char *id, int status, const char *detail)
{
    buf_add_char(b, '{');
    buf_json_member(b, "title", http_status_title(status));
    buf_json_key(b, "status");
    buf_add_int(b, status);
    buf_json_member(b, "detail", detail);
    buf_json_member(b, "request_id", id);
}

void http_problem_text(struct buf *out, const char *id, int status, const char *detail)
{
    open_problem(out, id, status, detail);
    buf_add_char(out, '}');
}

void http_problem(struct http_exchange *x, int status, const char *detail,
                  const struct http_field_error *errors, size_t count)
{
    struct buf b;
    buf_init(&b, PROBLEM_MAX);
    open_problem(&b, x->id, status, detail);
    size_t whole = b.len;
    add_errors(&b, errors, count);
    buf_add_char(&b, '}');
    if (b.overflow) { /* what is wrong is said once already */
        struct buf less;
        buf_init(&less, PROBLEM_MAX);
        buf_add(&less, buf_text(&b), whole);
        buf_add_char(&less, '}');
        buf_free(&b);
        b = less;
    }
    http_answer(x, status, "application/problem+json", buf_text(&b), b.len);
    buf_free(&b);
}
