#ifndef NOTIFY_BASE_COMMAND_LINE_H
#define NOTIFY_BASE_COMMAND_LINE_H

#include <stdbool.h>

#define COMMAND_LINE_FILE "/etc/pencheff-notify/notify.conf"

enum { EXIT_WRONG_USE = 2, EXIT_BAD_CONFIGURATION = 78 };

/* The options of a service: -c FILE, -t, -h, -V, and --help-config[=markdown] where it prints the settings. */
struct command_line {
    const char *program;
    const char *usage; /* what -h prints */
    bool prints_settings;

    /* What was read. */
    const char *file; /* COMMAND_LINE_FILE, if no other was named */
    bool only_test;
};

/* False: the program has done what was asked, or it was used wrongly, and said so; it ends with *CODE. */
bool command_line_read(struct command_line *line, int argc, char **argv, int *code);

#endif
