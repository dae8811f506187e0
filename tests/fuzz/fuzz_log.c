/*
 * Text from outside in a line of the log: it is one line, with the fields that were given and no others, and each value
 * can be read back. In place of log_sink.c the line is kept here.
 */
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/log_sink.h"
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_check.h"

enum { VALUES = 3, VALUE_MOST = 1024 /* log.c */, VALUE_SHORT = 64, LINE_MOST = 16384, HEAD = 4 };

static const char *const keys[] = {"level", "process", "pid", "event", "a", "b", "number", "c"};

static char line[LINE_MOST + 8];
static size_t line_size;

bool log_sink_write(const char *bytes, size_t size)
{
    check(size < sizeof line);
    memcpy(line, bytes, size);
    line[size] = 0;
    line_size = size;
    return true;
}

unsigned long log_sink_lost(void)
{
    return 0;
}

static bool is_value(struct arena *a, struct json_object *value, const char *written, size_t most)
{
    const char *copy = utf8_storable_copy(a, written, strnlen(written, most), 4 * VALUE_MOST);
    return strcmp(json_object_get_string(value), copy) == 0;
}

/* VALUE as it was written: its first bytes, and U+FFFD for each that is none of UTF-8. In a line that is full, fewer. */
static void check_value(struct arena *a, struct json_object *value, const char *written)
{
    bool is_full = line_size > LINE_MOST - 6 * VALUE_MOST;
    check(json_is_text(value));
    check(is_value(a, value, written, VALUE_MOST) || (is_full && is_value(a, value, written, VALUE_SHORT)));
}

static void check_json(struct arena *a, const char *const values[VALUES])
{
    const char *why;
    size_t i = 0;
    struct json_object *root = json_parse(line, line_size - 1, &why);
    check(root && json_check(line, line_size - 1, false));
    json_object_object_foreach(root, key, member)
    {
        (void)member;
        check(strcmp(key, i == 0 ? "time" : keys[i - 1]) == 0);
        i++;
    }
    check(i == 1 + sizeof keys / sizeof keys[0]);
    check_value(a, json_get(root, "a"), values[0]);
    check_value(a, json_get(root, "b"), values[1]);
    check_value(a, json_get(root, "c"), values[2]);
    check(json_object_get_int64(json_get(root, "number")) == 7);
    json_object_put(root);
}

/* The end of the value at AT: a blank, unless it is quoted. */
static const char *end_of(const char *at)
{
    if (*at != '"')
        return at + strcspn(at, " \n");
    for (at++; *at != '"'; at++) {
        check(*at);
        at += *at == '\\';
    }
    return at + 1;
}

/* As `key=value` is read by who does not know what stands in it. */
static void check_words(struct arena *a, const char *const values[VALUES])
{
    const char *at = strchr(line, ' ');
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t n = strlen(keys[i]);
        check(at && *at == ' ' && strncmp(at + 1, keys[i], n) == 0 && at[1 + n] == '=');
        const char *start = at + n + 2, *why;
        at = end_of(start);
        const char *want = i < HEAD || i == 6 ? NULL : values[i == 7 ? 2 : i - HEAD];
        if (want && *start == '"') {
            struct json_object *value = json_parse(start, (size_t)(at - start), &why);
            check_value(a, value, want);
            json_object_put(value);
        } else if (want) {
            check(strlen(want) == (size_t)(at - start) && memcmp(want, start, strlen(want)) == 0);
        }
    }
    check(strcmp(at, "\n") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const char *values[VALUES];
    struct arena a;
    arena_init(&a, 256);
    bool json = fuzz_byte(&in) & 1;
    for (int i = 0; i < VALUES; i++)
        values[i] = fuzz_text(&in, &a, NULL);
    log_setup("info", json, "worker 1");
    LOG(LOG_INFO, "fuzz", LOG_TEXT("a", values[0]), LOG_TEXT("b", values[1]), LOG_NUM("number", 7),
        LOG_TEXT("c", values[2]));
    check(line_size > 0 && memchr(line, '\n', line_size) == line + line_size - 1);
    check(!memchr(line, 0, line_size) && !memchr(line, '\r', line_size) && !memchr(line, 27, line_size));
    if (json)
        check_json(&a, values);
    else
        check_words(&a, values);
    arena_free(&a);
    return 0;
}
