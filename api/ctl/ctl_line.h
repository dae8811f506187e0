#ifndef NOTIFY_CTL_CTL_LINE_H
#define NOTIFY_CTL_CTL_LINE_H

#include <stdbool.h>

#include "api/ctl/ctl.h"

/* The options that every command has, in the order of ctl_globals. */
enum ctl_global { CTL_CONFIG, CTL_LIST, CTL_HELP, CTL_VERSION, CTL_GLOBAL_COUNT };

extern const struct ctl_option ctl_globals[CTL_GLOBAL_COUNT];

/*
 * Take the command line apart: the command and its values into *CTL, the values of ctl_globals into GLOBALS
 * (NULL: not given; "" for one that was given without a value). False when it is wrong, which was said on
 * standard error. A command is missing only beside --help, --version or --list.
 */
bool ctl_line_parse(struct ctl *ctl, const char *globals[CTL_GLOBAL_COUNT], char **argv);

/* COMMAND's name is GROUP and another word. */
bool ctl_command_is_of(const struct ctl_command *command, const char *group);

#endif
