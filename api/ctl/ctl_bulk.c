/*
 * ctl_bulk - many changes in batches: their pace, their progress, their end
 *
 * Owns the handlers of SIGINT and SIGTERM and one flag, which they set: a batch that has begun is finished, and what asked for it
 * says how far it came. A second signal ends the program at once; the database then rolls the batch back. Progress is one line
 * that is written over on a terminal, and a line every ten seconds elsewhere, so that a log stays short.
 *
 * A rate is kept by batches of a second's worth: the first at once, each next one when the one before has had its second.
 */
#include "api/ctl/ctl_bulk.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

enum {
    STEP_US = 100000,       /* so soon is a stop noticed */
    TELL_US = 200000,       /* between two lines of progress on a terminal ... */
    TELL_LOG_US = 10000000, /* ... and elsewhere */
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

void bulk_begin(struct bulk *bulk, const char *verb, long rate)
{
    /* SA_RESETHAND: the second one ends the program. */
    struct sigaction act = {.sa_handler = stop, .sa_flags = SA_RESETHAND};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    *bulk = (struct bulk){.verb = verb, .rate = rate, .told_us = clock_mono_us()};
}

bool bulk_is_stopped(void)
{
    return stopped != 0;
}

long bulk_batch(const struct bulk *bulk, long most)
{
    return bulk->rate && bulk->rate < most ? bulk->rate : most;
}

bool bulk_wait(struct bulk *bulk)
{
    for (;;) {
        int64_t left_us = bulk->next_us - clock_mono_us();
        if (stopped || left_us <= 0)
            return !stopped;
        usleep((useconds_t)(left_us < STEP_US ? left_us : STEP_US));
    }
}

static void tell(struct bulk *bulk, int64_t now_us)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    if (now_us - bulk->told_us < (terminal ? TELL_US : TELL_LOG_US))
        return;
    bulk->told_us = now_us;
    bulk->told = bulk->told || terminal;
    fprintf(stderr, terminal ? "\rnotifyctl: %s %ld" : "notifyctl: %s %ld", bulk->verb, bulk->done);
    if (bulk->total > 0)
        fprintf(stderr, " of %ld", bulk->total);
    fputs(terminal ? "; Ctrl-C stops it\x1b[K" : "\n", stderr);
}

void bulk_advance(struct bulk *bulk, long count)
{
    int64_t now_us = clock_mono_us();
    bulk->done += count;
    if (bulk->rate && count > 0)
        bulk->next_us =
            (bulk->next_us > now_us ? bulk->next_us : now_us) + count * INT64_C(1000000) / bulk->rate;
    if (count > 0)
        tell(bulk, now_us);
}

void bulk_end(struct bulk *bulk)
{
    if (bulk->told)
        fputs("\r\x1b[K", stderr);
    bulk->told = false;
}

bool bulk_confirm(const char *question)
{
    char answer[16];
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
        return true;
    fprintf(stderr, "notifyctl: %s? [y/N] ", question);
    if (!fgets(answer, sizeof answer, stdin)) {
        fputc('\n', stderr);
        return false;
    }
    return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0;
}
