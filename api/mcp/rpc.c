/*
 * rpc - messages of JSON-RPC 2.0
 *
 * Says of a value what it is, and why it is none; writes what is answered. Pure, and knows no method. An id is only echoed, so all
 * that matters of it is that it cannot be large, and that it is the same when it comes back.
 */
#include "api/mcp/rpc.h"

#include <string.h>

static void set_wrong(struct rpc_message *out, enum rpc_code code, const char *why)
{
    out->kind = RPC_WRONG;
    out->code = code;
    out->why = why;
}

static bool is_id(struct json_object *id)
{
    if (json_object_is_type(id, json_type_int))
        return true;
    return json_is_text(id) && json_object_get_string_len(id) <= RPC_ID_MAX;
}

/* What has no method: an answer, or nothing. */
static void read_answer(struct rpc_message *out, struct json_object *value)
{
    struct json_object *part;
    bool answers = json_object_object_get_ex(value, "result", &part) || json_get(value, "error");
    if (answers)
        out->kind = RPC_ANSWER;
    else
        set_wrong(out, RPC_INVALID_REQUEST, "a message must have a method, which must be a text");
}

void rpc_read(struct rpc_message *out, struct json_object *value)
{
    struct json_object *id = NULL, *params = NULL;
    *out = (struct rpc_message){.kind = RPC_WRONG};
    if (!json_object_is_type(value, json_type_object)) {
        set_wrong(out, RPC_INVALID_REQUEST, "a message must be an object");
        return;
    }
    bool asks = json_object_object_get_ex(value, "id", &id);
    if (asks && is_id(id))
        out->id = id;
    struct json_object *version = json_get(value, "jsonrpc"), *method = json_get(value, "method");
    if (!json_is_text(version) || strcmp(json_object_get_string(version), "2.0") != 0) {
        set_wrong(out, RPC_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
        return;
    }
    if (!json_is_text(method)) {
        read_answer(out, value);
        return;
    }
    out->method = json_object_get_string(method);
    if (asks && !out->id) {
        set_wrong(out, RPC_INVALID_REQUEST, "id must be a whole number or a text of at most 256 bytes");
        return;
    }
    _Static_assert(RPC_ID_MAX == 256, "as the words say");
    out->kind = asks ? RPC_REQUEST : RPC_NOTIFICATION;
    if (!json_object_object_get_ex(value, "params", &params))
        return;
    if (json_object_is_type(params, json_type_object))
        out->params = params;
    else if (asks)
        set_wrong(out, RPC_INVALID_PARAMS, "params must be an object");
}

bool rpc_same_id(struct json_object *a, struct json_object *b)
{
    return a && b && json_object_get_type(a) == json_object_get_type(b) && json_object_equal(a, b);
}

static void begin(struct buf *out, struct json_object *id)
{
    buf_add_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add_text(out, id ? json_print(id) : "null");
}

void rpc_write_result(struct buf *out, struct json_object *id, const char *result)
{
    begin(out, id);
    buf_add_text(out, ",\"result\":");
    buf_add_text(out, result);
    buf_add_char(out, '}');
}

void rpc_write_error(struct buf *out, struct json_object *id, enum rpc_code code, const char *message,
                     const char *detail)
{
    begin(out, id);
    buf_printf(out, ",\"error\":{\"code\":%d", (int)code);
    buf_json_member(out, "message", message);
    if (detail) {
        buf_json_key(out, "data");
        buf_add_text(out, detail);
    }
    buf_add_text(out, "}}");
}
