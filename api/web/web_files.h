#ifndef NOTIFY_API_WEB_FILES_H
#define NOTIFY_API_WEB_FILES_H

#include <stddef.h>

/* A file of the dashboard, by its name without its folder; no two have the same. */
struct web_file {
    const char *name;
    const char *bytes;
    size_t size;
};

/* Ends with a NULL name. */
extern const struct web_file web_files[];

#endif
