/*
 * rest_query - the parameters of the query, judged by their rows
 *
 * All that is wrong is told at once. Names that the route does not have were refused by the router.
 */
#include "api/rest/rest_query.h"

#include "api/rest/rest_form.h"

bool rest_query_is_good(struct asked *a)
{
    struct http_field_error errors[ROUTE_QUERY_MAX];
    struct arena *arena = a->x->arena;
    size_t count = 0;
    for (const struct route_parameter *p = a->route->query; p->name; p++) {
        const char *text = http_query(a->x, p->name);
        const char *fault = text ? rest_form_fault(arena, p->form, text) : NULL;
        if (fault)
            errors[count++] =
                (struct http_field_error){p->name, arena_printf(arena, "%s %s", p->name, fault)};
        else if (!text && p->required)
            errors[count++] = (struct http_field_error){
                p->name, arena_printf(arena, "%s is missing: %s", p->name, p->help)};
    }
    if (count > 0)
        rest_refuse_fields(a, 422, "correct what is named in errors", errors, count);
    return count == 0;
}
