/*
 * process - what a program that has keys does to its own process
 *
 * A core limit of 0 does not hold where cores go to a program (core_pattern with a pipe, as systemd-coredump); not being
 * dumpable does, and also keeps the user's other processes from attaching.
 */
#include "common/base/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void process_hide_memory(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}
