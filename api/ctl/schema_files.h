#ifndef NOTIFY_CTL_SCHEMA_FILES_H
#define NOTIFY_CTL_SCHEMA_FILES_H

/*
 * The SQL files of the folder schema, by name, as they were when the program was built (schema/embed.cmake).
 * Numbered migrations come in the order of their numbers; the last row has a NULL name.
 */
struct schema_file {
    const char *name; /* "0002_ledger.sql" */
    const char *text;
};

extern const struct schema_file schema_files[];

#endif
