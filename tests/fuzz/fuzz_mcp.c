/*
 * Bytes from an agent's program: lines of any bytes in pieces of any size, messages of JSON-RPC, arguments of tools. Each line ends in
 * at most one answer a request, which is JSON in one line; what is refused is refused in words; a value that was given is in no words
 * about arguments; a tool's arguments that pass are what its schema says, as far as its forms reach.
 *
 * Input: a byte for the size of the pieces, a byte for what is open, then what the client sends before it closes. MARK, as a value
 * among arguments, must not come back in what is said of them. Where the API would be, nobody is.
 */
#include <event2/event.h>

#include "api/mcp/lines.h"
#include "api/mcp/result.h"
#include "api/mcp/session.h"
#include "api/mcp/tools.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "common/libraries.h"
#include "tests/fuzz/fuzz.h"

#define MARK "Zq9.Zq9.Zq9"

enum { LINE_MAX_HERE = 2048, RESULT_MAX = 4096, TURNS = 8, BLOCK = 4096 };

static struct event_base *base;
static struct client *client;
static struct conf conf = {
    .mcp_calls = 4, .mcp_line_bytes = LINE_MAX_HERE, .mcp_result_bytes = RESULT_MAX, .mcp_wait = 0};
static size_t said;

static void check_said(void *owner, const struct buf *line)
{
    const char *why = NULL;
    (void)owner;
    said++;
    check(!line->overflow && !memchr(buf_text(line), '\n', line->len));
    check(utf8_is_storable(buf_text(line), line->len));
    struct json_object *value = json_parse(buf_text(line), line->len, &why);
    check(value != NULL);
    json_object_put(value);
}

static void check_arguments(struct json_object *message, unsigned open)
{
    struct json_object *params = json_get(message, "params"), *arguments = json_get(params, "arguments");
    const char *name = json_object_get_string(json_get(params, "name"));
    const struct tool *tool = name ? tool_find(name) : NULL;
    struct arena arena;
    if (!json_object_is_type(arguments, json_type_object))
        return;
    arena_init(&arena, BLOCK);
    for (const struct tool *t = tool ? tool : tool_table; t->name; t++) {
        const char *fault = tool_args_fault(&arena, t, open, arguments);
        bool is_named = false; /* an unknown argument is, by what the client called it */
        json_object_object_foreach(arguments, key, argument)
        {
            (void)argument;
            is_named |= strstr(key, "Zq9") != NULL;
        }
        if (fault && !is_named)
            check(!strstr(fault, MARK));
        for (const struct tool_arg *a = t->args; !fault && a->name; a++)
            check(!a->required || json_get(arguments, a->name));
    }
    arena_free(&arena);
}

struct seen {
    struct session *session;
    unsigned open;
    bool turn; /* after every other line there is no room for the next */
};

static bool take(void *owner, const char *line, size_t n)
{
    struct seen *seen = owner;
    const char *why = NULL;
    size_t before = said;
    struct json_object *value = line ? json_parse(line, n, &why) : NULL;
    check(!line || (n > 0 && n <= LINE_MAX_HERE && !memchr(line, '\n', n)));
    if (value) {
        check_arguments(value, seen->open);
        if (json_object_is_type(value, json_type_object)) {
            static const struct result_form form = {.page = "params"};
            bool bounded = result_bound(value, RESULT_MAX, &form);
            check(!bounded || strlen(json_print(value)) <= RESULT_MAX);
        }
    }
    json_object_put(value);
    session_take(seen->session, line, n);
    check(said <= before + 1);
    seen->turn = !seen->turn;
    return seen->turn;
}

static void start(void)
{
    static const struct client_settings settings = {
        .url = "http://127.0.0.1:1", .token = "token", .ca_file = "", .timeout_s = 60, .answer_max = 65536};
    log_threshold = (enum log_level)(LOG_ERROR + 1);
    libraries_begin_curl();
    base = event_base_new();
    check(base != NULL);
    client = client_new(base, &settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct lines lines;
    if (!base)
        start();
    size_t piece = 1 + (size_t)fuzz_byte(&in) * 4;
    unsigned open = fuzz_byte(&in) & (TOOL_ALLOW_WRITE | TOOL_ALLOW_ADHOC);
    struct session_settings settings = {
        .conf = &conf, .base = base, .client = client, .open = open, .say = check_said};
    struct seen seen = {.session = session_new(&settings), .open = open};
    lines_init(&lines, LINE_MAX_HERE);
    while (in.size > 0) {
        size_t n = in.size < piece ? in.size : piece;
        size_t used = lines_feed(&lines, (const char *)in.data, n, take, &seen);
        check(used > 0 && used <= n);
        in.data += used;
        in.size -= used;
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    lines_end(&lines, take, &seen);
    session_end(seen.session);
    for (int i = 0; i < TURNS; i++)
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    session_free(seen.session);
    lines_free(&lines);
    return 0;
}
