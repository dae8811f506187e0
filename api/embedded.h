#ifndef NOTIFY_API_EMBEDDED_H
#define NOTIFY_API_EMBEDDED_H

#include <stddef.h>

/*
 * Files of the tree as they were when the program was built (api/embed.cmake), so that it needs nothing beside itself. A list of
 * them is in the order of their names and ends with a NULL name.
 */
struct embedded_file {
    const char *name; /* without its folder: "0002_ledger.sql"; no two of a list have the same */
    const char *text; /* SIZE bytes and a NUL */
    size_t size;
};

extern const struct embedded_file
    schema_files[]; /* schema/: numbered migrations come in the order of their numbers */
extern const struct embedded_file web_files[]; /* api/web/: the dashboard */

#endif
