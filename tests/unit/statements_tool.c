/*
 * statements_tool - the worker's statements for a test in another language
 *
 * Prints one line per statement: name, the OIDs of its parameters' types with commas between them, and the SQL,
 * with tabs between the three. No statement holds a tab or a line's end.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "worker/statements.h"

int main(void)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        const struct pg_statement *s = &worker_statements[i];
        check(!strpbrk(s->sql, "\t\n"));
        printf("%s\t", s->name);
        for (int n = 0; n < s->params; n++)
            printf("%s%u", n ? "," : "", s->types[n]);
        printf("\t%s\n", s->sql);
    }
    return 0;
}
