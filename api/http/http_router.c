/*
 * http_router - which route a request is for, and what every route refuses
 *
 * Pure but for the answers. Paths are compared segment by segment, decoded; a segment in braces takes any text that is not empty.
 */
#include "api/http/http_router.h"

#include <string.h>
#include <strings.h>

#include "api/http/http_problem.h"

/* The segment at *AT without its slash, and *AT behind it. Its length in *N. */
static const char *segment(const char **at, size_t *n)
{
    const char *start = *at + 1;
    *n = strcspn(start, "/");
    *at = start + *n;
    return start;
}

static bool matches(const char *pattern, const char *path, struct arena *arena, struct route_words *words)
{
    size_t count = 0;
    memset(words, 0, sizeof *words);
    while (*pattern && *path) {
        size_t wanted, n;
        const char *form = segment(&pattern, &wanted), *text = segment(&path, &n);
        if (*form == '{' && n > 0)
            words->words[count++] = arena_text(arena, text, n);
        else if (n != wanted || memcmp(form, text, n) != 0)
            return false;
    }
    return !*pattern && !*path;
}

/* Whether PATH stands in the table as it is, without braces: then it is of no other row (OpenAPI 3.1, Paths Object). */
static bool is_concrete(const struct route *table, const char *path)
{
    for (const struct route *r = table; r->method; r++)
        if (!strchr(r->path, '{') && strcmp(r->path, path) == 0)
            return true;
    return false;
}

static bool takes_method(const struct route *r, const char *method)
{
    return strcmp(r->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

/* Nobody takes it. ALLOW: the methods of its path; "" when there is no such path. */
static void refuse(struct http_exchange *x, const char *allow)
{
    if (!*allow) {
        http_problem(x, 404, "there is nothing at this path; GET /openapi.json lists what there is", NULL, 0);
        return;
    }
    http_add_header(x, "Allow", allow);
    http_problem(x, 405, arena_printf(x->arena, "this path takes %s", allow), NULL, 0);
}

static bool knows(const struct route *r, const char *name)
{
    for (size_t i = 0; r->query[i].name; i++)
        if (strcmp(r->query[i].name, name) == 0)
            return true;
    return false;
}

/* NULL: all parameters are known, and each is there once. */
static const struct http_field_error *wrong_parameter(const struct route *r, struct http_exchange *x)
{
    const char *name;
    for (size_t i = 0; (name = http_query_name(x, i)); i++) {
        bool twice = false;
        for (size_t j = 0; j < i; j++)
            twice |= strcmp(name, http_query_name(x, j)) == 0;
        if (!twice && knows(r, name))
            continue;
        struct http_field_error *e = arena_alloc(x->arena, sizeof *e);
        e->field = name;
        e->detail = twice ? "it is there more than once" : "there is no such parameter";
        return e;
    }
    return NULL;
}

/* "application/json", or another form of it: "application/merge-patch+json". */
static bool is_json(const char *type)
{
    static const char begin[] = "application/", end[] = "json";
    size_t n = type ? strcspn(type, "; \t") : 0, before = sizeof begin - 1, after = sizeof end - 1;
    if (n < before + after || strncasecmp(type, begin, before) != 0 ||
        strncasecmp(type + n - after, end, after) != 0)
        return false;
    return n == before + after || type[n - after - 1] == '+';
}

/* False: it was answered. */
static bool is_good_for(const struct route *r, struct http_exchange *x)
{
    const struct http_field_error *wrong = wrong_parameter(r, x);
    if (wrong)
        http_problem(x, 400, "a parameter of the query is wrong", wrong, 1);
    else if (x->body_size > 0 && !r->body)
        http_problem(x, 400, "this request takes no body", NULL, 0);
    else if (x->body_size > 0 && !is_json(http_header(x, "Content-Type")))
        http_problem(x, 415, "send the body as application/json", NULL, 0);
    else
        return true;
    return false;
}

const struct route *http_route(const struct route *table, struct http_exchange *x, struct route_words *words)
{
    const char *allow = "";
    if (x->wrong) {
        http_problem(x, x->wrong, x->wrong_detail, NULL, 0);
        return NULL;
    }
    bool concrete = is_concrete(table, x->path);
    for (const struct route *r = table; r->method; r++) {
        if (!matches(r->path, x->path, x->arena, words) || (concrete && strchr(r->path, '{')))
            continue;
        if (takes_method(r, x->method))
            return is_good_for(r, x) ? r : NULL;
        allow = arena_printf(x->arena, "%s%s%s%s", allow, *allow ? ", " : "", r->method,
                             strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
    }
    refuse(x, allow);
    return NULL;
}
