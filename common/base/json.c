/*
 * json - JSON from outside, checked
 *
 * A thin wall around json-c. Nothing else in the product calls its tokener. What json-c 0.16 accepts in
 * strict mode and we do not: single-quoted strings, raw control characters in strings, numbers like "1.", "01"
 * or "0-3", overlong and surrogate sequences (its own check of UTF-8 lets them pass), all found by a scan before
 * parsing; bytes behind the value, and input that ends too early. Duplicate keys: the last wins, as in
 * Python.
 *
 * Without memory json-c calls good input bad, or leaves out what did not fit; only errno tells, until the next number
 * sets it to 0. So it is looked at before each number.
 */
#include "common/base/json.h"

#include <errno.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/utf8.h"

static size_t digits_end(const char *text, size_t n, size_t i)
{
    while (i < n && text[i] >= '0' && text[i] <= '9')
        i++;
    return i;
}

/* Behind the number that starts at I, by the grammar of RFC 8259 section 6; 0 when it breaks it. */
static size_t number_end(const char *text, size_t n, size_t i)
{
    i += text[i] == '-';
    if (i < n && text[i] == 'I')
        return i; /* -Infinity */
    size_t end = digits_end(text, n, i);
    if (end == i || (text[i] == '0' && end > i + 1))
        return 0;
    if (end < n && text[end] == '.') {
        i = end + 1;
        end = digits_end(text, n, i);
        if (end == i)
            return 0;
    }
    if (end < n && (text[end] == 'e' || text[end] == 'E')) {
        i = end + 1;
        i += i < n && (text[i] == '+' || text[i] == '-');
        end = digits_end(text, n, i);
        if (end == i)
            return 0;
    }
    /* json-c reads on as long as it finds what numbers are made of: "0-3" is one to it. */
    return end < n && text[end] && strchr("+-.eE", text[end]) ? 0 : end;
}

/* The first thing that json-c would take although it is no JSON; NULL when there is none. */
static const char *find_leniency(const char *text, size_t n)
{
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if ((unsigned char)c >= 0x80) {
            size_t length = utf8_length_at(text + i, n - i);
            if (length == 0)
                return "invalid UTF-8";
            i += length - 1;
        } else if (c == '"') {
            inside = !inside;
        } else if (inside) {
            if ((unsigned char)c < 0x20)
                return "control character in a text";
            i += c == '\\';
        } else if (c == '\'') {
            return "single-quoted text";
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            size_t end = number_end(text, n, i);
            if (end == 0)
                return "malformed number";
            i = end - 1;
        }
    }
    return NULL;
}

/* Behind the first character of the next number after FROM, which lies outside of texts; N when there is none. */
static size_t next_number(const char *text, size_t n, size_t from)
{
    bool inside = false;
    size_t i = from;
    while (i < n && from > 0 && strchr("0123456789+-.eE", text[i]))
        i++; /* the rest of the last one */
    for (; i < n; i++) {
        if (text[i] == '"')
            inside = !inside;
        else if (inside)
            i += text[i] == '\\';
        else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9'))
            return i + 1;
    }
    return n;
}

/* END: where the parser stopped. */
static struct json_object *parse_pieces(struct json_tokener *tokener, const char *text, size_t n, size_t *end)
{
    struct json_object *value = NULL;
    size_t from = 0;
    do {
        size_t to = next_number(text, n, from);
        errno = 0;
        value = json_tokener_parse_ex(tokener, text + from, (int)(to - from));
        mem_check(errno != ENOMEM);
        *end = from + json_tokener_get_parse_end(tokener);
        from = to;
    } while (from < n && json_tokener_get_error(tokener) == json_tokener_continue);
    return value;
}

struct json_object *json_parse(const char *text, size_t n, const char **why)
{
    if (n == 0 || n > 1u << 30) {
        *why = n ? "too long" : "empty";
        return NULL;
    }
    *why = find_leniency(text, n);
    if (*why)
        return NULL;
    size_t end = 0;
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    mem_check(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *value = parse_pieces(tokener, text, n, &end);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) {
        /* A bare number is only complete when something follows it; a NUL says that nothing does. */
        errno = 0;
        value = json_tokener_parse_ex(tokener, "", 1);
        mem_check(errno != ENOMEM);
        error = json_tokener_get_error(tokener);
        if (error == json_tokener_continue)
            error = json_tokener_error_parse_eof;
    } else if (error == json_tokener_success && end < n) {
        /* Strict mode reports most trailing bytes itself; a NUL ends the parse quietly. */
        json_object_put(value);
        value = NULL;
        error = json_tokener_error_parse_unexpected;
    }
    json_tokener_free(tokener);
    if (error != json_tokener_success) {
        json_object_put(value);
        *why = json_tokener_error_desc(error);
        return NULL;
    }
    if (!value)
        *why = "null";
    return value;
}

struct json_object *json_get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object))
        return NULL;
    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

const char *json_print(struct json_object *value)
{
    errno = 0;
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    mem_check(text != NULL && errno != ENOMEM);
    return text;
}

bool json_is_text(struct json_object *value)
{
    return json_object_is_type(value, json_type_string);
}

char *json_copy_text(struct arena *a, struct json_object *value, size_t max)
{
    check(json_is_text(value));
    return utf8_storable_copy(a, json_object_get_string(value), (size_t)json_object_get_string_len(value),
                              max);
}

char *json_get_text(struct arena *a, struct json_object *object, const char *key, size_t max)
{
    struct json_object *value = json_get(object, key);
    return json_is_text(value) ? json_copy_text(a, value, max) : NULL;
}
