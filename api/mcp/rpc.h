#ifndef NOTIFY_API_MCP_RPC_H
#define NOTIFY_API_MCP_RPC_H

#include "common/base/buf.h"
#include "common/base/json.h"

/* Messages of JSON-RPC 2.0, as the protocol narrows them: an id is a text or a whole number, params are an object. */

/* Codes of JSON-RPC 2.0 section 5.1. */
enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_UNKNOWN_METHOD = -32601,
    RPC_INVALID_PARAMS = -32602,
};

enum {
    RPC_ID_MAX =
        256 /* bytes of an id that is a text: those of clients are numbers or UUIDs; each is echoed */
};

enum rpc_kind {
    RPC_REQUEST,
    RPC_NOTIFICATION,
    RPC_ANSWER, /* to a request of ours, which we never make */
    RPC_WRONG,  /* `code` and `why` say what; `id` is set where it could be read */
};

/* All borrowed from the value that was read. */
struct rpc_message {
    enum rpc_kind kind;
    struct json_object *id; /* NULL: none */
    const char *method;
    struct json_object *params; /* an object; NULL: none */
    enum rpc_code code;
    const char *why; /* static */
};

/* What VALUE, which may be any JSON, is. */
void rpc_read(struct rpc_message *out, struct json_object *value);

/* The same id: of one type, with one value. */
bool rpc_same_id(struct json_object *a, struct json_object *b);

/* A whole message without its line end. ID NULL is written as null. RESULT: JSON. DETAIL: JSON for `data`, NULL: none. */
void rpc_write_result(struct buf *out, struct json_object *id, const char *result);
void rpc_write_error(struct buf *out, struct json_object *id, enum rpc_code code, const char *message,
                     const char *detail);

#endif
