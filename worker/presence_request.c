/*
 * presence_request - a message of Celery's remote control to a request, and is it for us?
 *
 * Pure. Whoever may publish to the broker may have made it: everything has a bound, and what is not as
 * kombu writes it is refused in one word or taken as absent, never guessed. Patterns are matched by code whose time
 * and memory are bounded, since the expression comes with the request: globs by hand, regular expressions by the C
 * library's automaton, without what would make it large (counted repetitions, repetitions of groups) or slow (back
 * references, anchors in groups).
 */
#include "worker/presence_request.h"

#include <regex.h>
#include <string.h>

#include "common/base/json.h"

enum { SHORT_STRING = 255, PATTERN_BYTES = 255, DESTINATIONS = 1000, PLUSES = 8, GROUPS = 16 };

static const int64_t clock_max = INT64_C(1) << 53; /* what a JSON number keeps */

/* One [set] that begins at PATTERN; *END behind it. A set that does not end is a bracket like any other, as in Python. */
static bool in_set(const char *pattern, char c, const char **end)
{
    const char *at = pattern + 1, *close;
    bool negated = *at == '!', found = false;
    at += negated;
    close = *at ? strchr(at + 1, ']') : NULL;
    if (!close) {
        *end = pattern + 1;
        return c == '[';
    }
    for (; at < close; at++) {
        if (at + 2 < close && at[1] == '-') {
            found |= (unsigned char)at[0] <= (unsigned char)c && (unsigned char)c <= (unsigned char)at[2];
            at += 2;
        } else {
            found |= *at == c;
        }
    }
    *end = close + 1;
    return found != negated;
}

static bool one_matches(const char *pattern, char c, const char **end)
{
    *end = pattern + 1;
    if (*pattern == '?')
        return true;
    if (*pattern == '[')
        return in_set(pattern, c, end);
    return *pattern == c;
}

bool presence_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL, *next;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern && one_matches(pattern, *text, &next)) {
            pattern = next;
            text++;
        } else if (star) { /* the last star takes one more */
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/*
 * The C library writes what has a + twice, so that nested ones, or one + behind the other, double it each time, to
 * gigabytes; and it goes through nested groups once more for each ^ or $ in them, for minutes. So + stands behind a
 * single character or [set] only, ^ and $ at the ends only, and there are a few of + and ( only.
 */
static bool is_cheap(const char *pattern)
{
    int pluses = 0, groups = 0;
    for (const char *at = pattern; *at; at++) {
        char before = at > pattern ? at[-1] : 0;
        pluses += *at == '+';
        groups += *at == '(';
        if ((*at == '+' && before && strchr(")+*?", before)) || (*at == '^' && before && before != '[') ||
            (*at == '$' && at[1]))
            return false;
    }
    return pluses <= PLUSES && groups <= GROUPS;
}

/* As Python's re.match: from the beginning of the text, not to its end. False: not to be told, *WHY. */
static bool regex_matches(const char *pattern, const char *text, bool *matches, const char **why)
{
    regex_t compiled;
    regmatch_t at;
    if (strpbrk(pattern, "{\\") || strstr(pattern, "(?") || !is_cheap(pattern)) {
        *why = "of regular expressions, simple ones are understood: no braces, backslashes or (?, ^ and $ at "
               "the "
               "ends, a few + behind single characters or sets; or use --destination or a glob";
        return false;
    }
    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0) {
        *why = "the pattern is no regular expression";
        return false;
    }
    *matches = regexec(&compiled, text, 1, &at, 0) == 0 && at.rm_so == 0;
    regfree(&compiled);
    return true;
}

/* The string VALUE when it has 1 to MAX bytes and no NUL; else NULL. */
static const char *text_of(struct json_object *value, struct arena *arena, size_t max)
{
    if (!json_is_text(value))
        return NULL;
    size_t n = (size_t)json_object_get_string_len(value);
    const char *text = json_object_get_string(value);
    return n > 0 && n <= max && !memchr(text, 0, n) ? arena_text(arena, text, n) : NULL;
}

static bool names_us(struct json_object *list, const char *node)
{
    size_t count = json_object_array_length(list);
    for (size_t i = 0; i < count && i < DESTINATIONS; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        if (json_is_text(one) && strcmp(json_object_get_string(one), node) == 0)
            return true;
    }
    return false;
}

static enum presence_request_result is_ours(struct json_object *document, struct arena *arena,
                                            const char *node, const char **why)
{
    struct json_object *destination = json_get(document, "destination");
    struct json_object *pattern = json_get(document, "pattern"), *matcher = json_get(document, "matcher");
    bool matches = false;
    if (destination && !json_object_is_type(destination, json_type_array))
        return PRESENCE_REQUEST_OTHERS;
    if (destination && json_object_array_length(destination) > 0)
        return names_us(destination, node) ? PRESENCE_REQUEST_OURS : PRESENCE_REQUEST_OTHERS;
    if (!pattern || !matcher)
        return PRESENCE_REQUEST_OURS;
    const char *words = text_of(pattern, arena, PATTERN_BYTES),
               *kind = text_of(matcher, arena, PATTERN_BYTES);
    if (!words || !kind)
        return PRESENCE_REQUEST_OTHERS;
    if (strcmp(kind, "glob") == 0)
        matches = presence_glob(words, node);
    else if (strcmp(kind, "pcre") != 0)
        return PRESENCE_REQUEST_OTHERS;
    else if (!regex_matches(words, node, &matches, why))
        return PRESENCE_REQUEST_UNMATCHABLE;
    return matches ? PRESENCE_REQUEST_OURS : PRESENCE_REQUEST_OTHERS;
}

static void read_reply_to(struct json_object *document, struct arena *arena, struct presence_request *out)
{
    struct json_object *to = json_get(document, "reply_to");
    out->reply_exchange = text_of(json_get(to, "exchange"), arena, SHORT_STRING);
    out->reply_key = text_of(json_get(to, "routing_key"), arena, SHORT_STRING);
    if (!out->reply_key)
        out->reply_exchange = NULL;
}

enum presence_request_result presence_request_read(const struct raw_message *raw, struct arena *arena,
                                                   const char *node, struct presence_request *out,
                                                   const char **why)
{
    const struct raw_header *clock = raw_message_header(raw, "clock");
    memset(out, 0, sizeof *out);
    if (raw->body_cut) {
        *why = "too long";
        return PRESENCE_REQUEST_UNREADABLE;
    }
    out->document = json_parse(raw->body, raw->body_size, why);
    if (!out->document)
        return PRESENCE_REQUEST_UNREADABLE;
    out->method = text_of(json_get(out->document, "method"), arena, PRESENCE_METHOD_BYTES);
    if (!out->method) {
        *why = "no method";
        return PRESENCE_REQUEST_UNREADABLE;
    }
    out->arguments = json_get(out->document, "arguments");
    if (out->arguments && !json_object_is_type(out->arguments, json_type_object))
        out->arguments = NULL;
    read_reply_to(out->document, arena, out);
    out->ticket = text_of(json_get(out->document, "ticket"), arena, SHORT_STRING);
    if (clock && clock->kind == RAW_HEADER_INT && clock->number > 0 && clock->number < clock_max)
        out->clock = clock->number;
    return is_ours(out->document, arena, node, why);
}

void presence_request_free(struct presence_request *r)
{
    if (r->document)
        json_object_put(r->document);
    r->document = r->arguments = NULL;
}

const char *presence_argument_text(const struct presence_request *r, struct arena *arena, const char *key,
                                   size_t max)
{
    return text_of(json_get(r->arguments, key), arena, max);
}

bool presence_argument_number(const struct presence_request *r, const char *key, int min, int max,
                              int default_value, int *out)
{
    struct json_object *value = json_get(r->arguments, key);
    *out = default_value;
    if (!value)
        return true;
    if (!json_object_is_type(value, json_type_int))
        return false;
    int64_t n = json_object_get_int64(value);
    *out = (int)n;
    return n >= min && n <= max;
}
