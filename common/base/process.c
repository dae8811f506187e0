/*
 * process - what a program does to its own process when it has keys, and what it knows of it
 *
 * A core limit of 0 does not hold where cores go to a program (core_pattern with a pipe, as systemd-coredump); not being
 * dumpable does, and also keeps the user's other processes from attaching.
 */
#include "common/base/process.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void process_hide_memory(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

/* Of itself a process may always ask, also where it may not see others. */
uint64_t process_resident(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*d %lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
