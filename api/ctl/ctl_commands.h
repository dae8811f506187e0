#ifndef NOTIFY_CTL_CTL_COMMANDS_H
#define NOTIFY_CTL_CTL_COMMANDS_H

#include "api/ctl/ctl.h"

/* Every command; ends with a NULL name. */
extern const struct ctl_command ctl_commands[];

#endif
