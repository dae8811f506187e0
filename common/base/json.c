/*
 * json - JSON from outside, checked
 *
 * A thin wall around json-c. Nothing else in the product calls its tokener. What json-c 0.16 accepts in
 * strict mode and we do not: single-quoted strings, raw control characters in strings, numbers like "1." or
 * "01", overlong and surrogate sequences (its own check of UTF-8 lets them pass), all found by a scan before
 * parsing; bytes behind the value, and input that ends too early. Duplicate keys: the last wins, as in
 * Python.
 */
#include "common/base/json.h"

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
    return end;
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

struct json_object *json_parse(const char *text, size_t n, const char **why)
{
    if (n == 0 || n > 1u << 30) {
        *why = n ? "too long" : "empty";
        return NULL;
    }
    *why = find_leniency(text, n);
    if (*why)
        return NULL;
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    check(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)n);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) {
        /* A bare number is only complete when something follows it; a NUL says that nothing does. */
        value = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
        if (error == json_tokener_continue)
            error = json_tokener_error_parse_eof;
    } else if (error == json_tokener_success && json_tokener_get_parse_end(tokener) < n) {
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
