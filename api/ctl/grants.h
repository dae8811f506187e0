#ifndef NOTIFY_CTL_GRANTS_H
#define NOTIFY_CTL_GRANTS_H

#include <stdbool.h>

/*
 * The rights that schema/roles.sql gives, one by one, read from its lines of the form
 *
 *     GRANT SELECT (a, b) ON TABLE public.scans TO notify_worker;
 *     GRANT SELECT, INSERT ON TABLE notify.events TO notify_worker;
 *     GRANT USAGE ON SCHEMA notify TO notify_worker;
 *     GRANT EXECUTE ON FUNCTION notify.f(uuid, text) TO notify_api;
 */
struct grant {
    char privilege[16];
    char schema[64];
    char table[64];     /* "": a right on the schema, or on a function */
    char function[128]; /* with its types, "f(uuid, text)"; "": on none */
    char column[64];    /* "": on the whole table */
    char role[64];      /* to whom */
};

struct grants_reader {
    const char *line;  /* what is left of the file */
    const char *right; /* where the next right of the current line stands; NULL: none */
    bool malformed;    /* a GRANT line was not understood and left out */
    struct grant current;
};

void grants_start(struct grants_reader *reader, const char *sql);
/* False at the end. */
bool grants_next(struct grants_reader *reader, struct grant *out);
/* What it is a right on, "TABLE public.targets". OUT has room for 256.
 */
void grant_format_object(const struct grant *grant, char out[256]);

#endif
