/*
 * grants - the rights in roles.sql, one by one
 *
 * A reader for the strict form that grants.h shows, not for SQL: a GRANT line in any other form is noticed
 * (malformed), so that a right cannot go unchecked. Pure.
 */
#include "api/ctl/grants.h"

#include <stdio.h>
#include <string.h>

/* Copy the name (letters, digits, underscores) at *AT into OUT of SIZE bytes and step over it. */
static bool take_name(const char **at, char *out, size_t size)
{
    size_t n = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (!n || n >= size)
        return false;
    memcpy(out, *at, n);
    out[n] = '\0';
    *at += n;
    return true;
}

static bool take_text(const char **at, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

/* Copy a function's name and the types it takes, "f(uuid, uuid[])", and step over it. */
static bool take_function(const char **at, char *out, size_t size)
{
    size_t n = strcspn(*at, ")\n;");
    if ((*at)[n] != ')' || n + 1 >= size || !memchr(*at, '(', n))
        return false;
    memcpy(out, *at, n + 1);
    out[n + 1] = '\0';
    *at += n + 1;
    return true;
}

/* Read "ON TABLE schema.table TO role;", "ON FUNCTION schema.f(uuid) TO role;" or "ON SCHEMA schema TO role;". */
static bool take_object(const char *at, struct grant *current)
{
    current->table[0] = current->function[0] = '\0';
    bool on_table = take_text(&at, " ON TABLE "), on_function = !on_table && take_text(&at, " ON FUNCTION ");
    if (!on_table && !on_function && !take_text(&at, " ON SCHEMA "))
        return false;
    if (!take_name(&at, current->schema, sizeof current->schema))
        return false;
    if (on_table && !(take_text(&at, ".") && take_name(&at, current->table, sizeof current->table)))
        return false;
    if (on_function &&
        !(take_text(&at, ".") && take_function(&at, current->function, sizeof current->function)))
        return false;
    return take_text(&at, " TO ") && take_name(&at, current->role, sizeof current->role) &&
           take_text(&at, ";") && (!*at || *at == '\n' || *at == '\r');
}

/* Step over the rights at AT, checking their form: "A", "A, B" or "A (x, y)". NULL when it is another. */
static const char *skip_rights(const char *at)
{
    char name[64];
    do {
        if (!take_name(&at, name, sizeof name))
            return NULL;
    } while (take_text(&at, ", "));
    if (!take_text(&at, " ("))
        return at;
    do {
        if (!take_name(&at, name, sizeof name))
            return NULL;
    } while (take_text(&at, ", "));
    return take_text(&at, ")") ? at : NULL;
}

/* Go to the next line that gives rights; false at the end. */
static bool next_line(struct grants_reader *r)
{
    while (*r->line) {
        const char *line = r->line;
        r->line += strcspn(r->line, "\n");
        r->line += *r->line == '\n';
        /* Case is ignored here only to notice what the strict form below then refuses. */
        const char *word = line + strspn(line, " \t");
        if (strncasecmp(word, "grant ", strlen("grant ")) != 0)
            continue;
        memset(&r->current, 0, sizeof r->current);
        const char *at = line;
        if (take_text(&at, "GRANT ")) {
            r->right = at;
            at = skip_rights(at);
            if (at && take_object(at, &r->current))
                return true;
        }
        r->right = NULL;
        r->malformed = true;
    }
    return false;
}

void grants_start(struct grants_reader *reader, const char *sql)
{
    memset(reader, 0, sizeof *reader);
    reader->line = sql;
}

bool grants_next(struct grants_reader *r, struct grant *out)
{
    if (!r->right && !next_line(r))
        return false;
    struct grant *c = &r->current;
    if (!c->privilege[0] || !c->column[0]) {
        if (!take_name(&r->right, c->privilege, sizeof c->privilege))
            r->malformed = true;
        if (take_text(&r->right, " ("))
            take_name(&r->right, c->column, sizeof c->column);
    } else {
        take_name(&r->right, c->column, sizeof c->column);
    }
    *out = *c;
    if (!take_text(&r->right, ", "))
        r->right = NULL;
    return true;
}

void grant_format_object(const struct grant *grant, char out[256])
{
    if (grant->function[0])
        snprintf(out, 256, "FUNCTION %s.%s", grant->schema, grant->function);
    else if (!grant->table[0])
        snprintf(out, 256, "SCHEMA %s", grant->schema);
    else
        snprintf(out, 256, "TABLE %s.%s", grant->schema, grant->table);
}
