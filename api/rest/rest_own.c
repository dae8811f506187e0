/*
 * rest_own - what the server says of itself, and of the token that asks
 */
#include "api/rest/rest_own.h"

#include "common/base/buf.h"
#include "common/base/check.h"

enum { TOKEN_SHOWN_MAX = 8192 }; /* a name of 100 characters takes at most 1200 bytes */

void rest_say_alive(struct asked *a)
{
    rest_answer(a, 200, "text/plain", "ok\n");
}

void rest_say_ready(struct asked *a)
{
    bool ready = calls_are_up(a->rest->calls);
    rest_answer(a, ready ? 200 : 503, "text/plain",
                ready ? "ready\n" : "not ready: there is no connection to the database\n");
}

void rest_show_document(struct asked *a)
{
    rest_answer_text(a, NULL, &a->rest->document);
}

void rest_show_token(struct asked *a)
{
    struct buf out;
    buf_init(&out, TOKEN_SHOWN_MAX);
    buf_add_char(&out, '{');
    buf_json_member(&out, "id", a->auth.id);
    buf_json_member(&out, "name", a->auth.name);
    buf_json_member(&out, "scope", a->auth.may_write ? "write" : "read");
    buf_json_member(&out, "workspace_id", a->auth.workspace);
    buf_json_member(&out, "expires_at", *a->auth.expires ? a->auth.expires : NULL);
    buf_add_char(&out, '}');
    check(!out.overflow);
    rest_answer(a, 200, NULL, buf_text(&out));
    buf_free(&out);
}
