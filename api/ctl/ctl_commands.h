#ifndef NOTIFY_CTL_CTL_COMMANDS_H
#define NOTIFY_CTL_CTL_COMMANDS_H

#include "api/ctl/ctl.h"

/* Every command; ends with a NULL name. */
extern const struct ctl_command ctl_commands[];

/* What the exit codes mean, once. */
enum { CTL_EXIT_COUNT = 5 };
extern const struct ctl_exit_help {
    enum ctl_exit code;
    const char *help;
} ctl_exits[CTL_EXIT_COUNT];

#endif
