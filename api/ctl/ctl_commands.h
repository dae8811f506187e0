#ifndef NOTIFY_CTL_CTL_COMMANDS_H
#define NOTIFY_CTL_CTL_COMMANDS_H

#include "api/ctl/ctl.h"

/* Every command; ends with a NULL name. */
extern const struct ctl_command ctl_commands[];

/* Commands of the contract that do not exist yet, by name; ends with NULL. */
extern const char *const ctl_commands_later[];

#endif
