/*
 * json_check - a second reading of RFC 8259, to hold against the first
 *
 * Written without looking at json.c, and as plain as a grammar can be. Knows nothing of json-c.
 */
#include "tests/fuzz/json_check.h"

#include <string.h>

#include "common/base/json.h"
#include "common/base/utf8.h"

struct checker {
    const char *at;
    const char *end;
    int depth;
    bool pythonic; /* NaN, Infinity and -Infinity are numbers */
};

static int value(struct checker *c);

static int is_one_of(char c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static void blanks(struct checker *c)
{
    while (c->at < c->end && is_one_of(*c->at, " \t\r\n"))
        c->at++;
}

static int literal(struct checker *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return 0;
    c->at += n;
    return 1;
}

static int digits(struct checker *c)
{
    const char *start = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return c->at > start;
}

static int number(struct checker *c)
{
    literal(c, "-");
    if (c->pythonic && literal(c, "Infinity"))
        return 1;
    if (!literal(c, "0") && !digits(c))
        return 0;
    if (literal(c, ".") && !digits(c))
        return 0;
    if (literal(c, "e") || literal(c, "E")) {
        if (!literal(c, "+"))
            literal(c, "-");
        if (!digits(c))
            return 0;
    }
    return 1;
}

static int string(struct checker *c)
{
    if (!literal(c, "\""))
        return 0;
    while (c->at < c->end && *c->at != '"') {
        if ((unsigned char)*c->at < 0x20)
            return 0;
        if (*c->at++ != '\\')
            continue;
        if (c->at == c->end || !is_one_of(*c->at, "\"\\/bfnrtu"))
            return 0;
        if (*c->at++ != 'u')
            continue;
        for (int i = 0; i < 4; i++, c->at++)
            if (c->at == c->end || !is_one_of(*c->at, "0123456789abcdefABCDEF"))
                return 0;
    }
    return literal(c, "\"");
}

static int members(struct checker *c, char close, int with_keys)
{
    char end[2] = {close, 0};
    if (++c->depth > JSON_DEPTH_MAX)
        return 0;
    blanks(c);
    if (!literal(c, end)) {
        do {
            blanks(c);
            if (with_keys) {
                if (!string(c))
                    return 0;
                blanks(c);
                if (!literal(c, ":"))
                    return 0;
            }
            if (!value(c))
                return 0;
            blanks(c);
        } while (literal(c, ","));
        if (!literal(c, end))
            return 0;
    }
    c->depth--;
    return 1;
}

static int value(struct checker *c)
{
    blanks(c);
    if (literal(c, "{"))
        return members(c, '}', 1);
    if (literal(c, "["))
        return members(c, ']', 0);
    if (c->at < c->end && *c->at == '"')
        return string(c);
    if (c->pythonic && literal(c, "NaN"))
        return 1;
    return literal(c, "true") || literal(c, "false") || literal(c, "null") || number(c);
}

bool json_check(const char *text, size_t n, bool pythonic)
{
    struct checker c = {text, text + n, 0, pythonic};
    for (size_t i = 0; i < n;) {
        size_t length = utf8_length_at(text + i, n - i);
        if (length == 0)
            return false;
        i += length;
    }
    if (!value(&c))
        return false;
    blanks(&c);
    return c.at == c.end;
}
