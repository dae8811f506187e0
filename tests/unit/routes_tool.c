/*
 * routes_tool - the table of routes, for tests in another language
 *
 * A line for each: method, path, scope, and the statuses of its errors, with tabs between them.
 */
#include <stdio.h>

#include "api/rest/rest_document.h"
#include "api/rest/rest_routes.h"

int main(void)
{
    static const char *const scopes[] = {
        [ROUTE_OPEN] = "open", [ROUTE_READ] = "read", [ROUTE_WRITE] = "write"};
    for (const struct route *r = rest_routes; r->method; r++) {
        int statuses[REST_ERRORS_MAX];
        rest_errors_of(r, statuses);
        printf("%s\t%s\t%s\t%d", r->method, r->path, scopes[r->scope], r->status);
        for (size_t i = 0; statuses[i]; i++)
            printf(" %d", statuses[i]);
        printf("\n");
    }
    return 0;
}
