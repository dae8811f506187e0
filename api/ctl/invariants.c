/*
 * invariants - the queries of schema/invariants.sql with their names and texts
 *
 * A reader for the strict form that invariants.h shows, not for SQL. The file is built into the program, so another form
 * is a mistake of ours: it is checked, not reported. Comments in front of the first query belong to the file. Pure.
 */
#include "api/ctl/invariants.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"

enum { TEXT_MAX = 16384 };

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz_";

/* Take the line at r->at, its length without the line feed in *N. */
static const char *take_line(struct invariants_reader *r, size_t *n)
{
    const char *line = r->at;
    *n = strcspn(line, "\n");
    r->at += *n + (line[*n] == '\n');
    return line;
}

static bool is_comment(const char *line)
{
    return strncmp(line, "-- ", 3) == 0;
}

/* Length of the name in a line "-- name: ..."; 0 when it is no such line. */
static size_t name_length(const char *line)
{
    if (!is_comment(line))
        return 0;
    size_t n = strspn(line + 3, name_bytes);
    return n && strncmp(line + 3 + n, ": ", 2) == 0 ? n : 0;
}

/* The comment's text up to the first semicolon into `wrong`, the rest into `advice`. */
static void read_comment(struct invariants_reader *r)
{
    struct invariant *c = &r->current;
    size_t n, name = name_length(r->at);
    const char *line = take_line(r, &n);
    check(name < sizeof c->name);
    snprintf(c->name, sizeof c->name, "%.*s", (int)name, line + 3);
    size_t skip = 3 + name + 2;
    do {
        buf_add(&c->wrong, line + skip, n - skip);
        if (!is_comment(r->at))
            break;
        buf_add_char(&c->wrong, ' ');
        line = take_line(r, &n);
        skip = 3;
    } while (true);
    const char *cut = strstr(buf_text(&c->wrong), "; ");
    check(cut);
    buf_add_text(&c->advice, cut + 2);
    c->wrong.len = (size_t)(cut - c->wrong.data);
    c->wrong.data[c->wrong.len] = '\0';
}

static void read_sql(struct invariants_reader *r)
{
    struct invariant *c = &r->current;
    size_t n;
    do {
        check(*r->at);
        const char *line = take_line(r, &n);
        buf_add(&c->sql, line, n);
        buf_add_char(&c->sql, '\n');
    } while (!strstr(buf_text(&c->sql), ";\n"));
    c->sql.len -= 2;
    c->sql.data[c->sql.len] = '\0';
}

void invariants_start(struct invariants_reader *r, const char *text)
{
    memset(r, 0, sizeof *r);
    r->at = text;
    buf_init(&r->current.wrong, TEXT_MAX);
    buf_init(&r->current.advice, TEXT_MAX);
    buf_init(&r->current.sql, TEXT_MAX);
}

const struct invariant *invariants_next(struct invariants_reader *r)
{
    struct invariant *c = &r->current;
    size_t n;
    buf_reset(&c->wrong);
    buf_reset(&c->advice);
    buf_reset(&c->sql);
    while (*r->at && !name_length(r->at)) {
        const char *line = take_line(r, &n);
        check(!n || is_comment(line) || strncmp(line, "--\n", 3) == 0); /* no query without a name */
    }
    if (!*r->at)
        return NULL;
    read_comment(r);
    read_sql(r);
    check(!c->wrong.overflow && !c->advice.overflow && !c->sql.overflow);
    return c;
}

void invariants_end(struct invariants_reader *r)
{
    buf_free(&r->current.wrong);
    buf_free(&r->current.advice);
    buf_free(&r->current.sql);
}
