/*
 * binary_check - can the program that stands at our path take over, with the file as it is now?
 *
 * Owns one child in a session of its own, and two files in memory for its words, which are bounded by the kernel
 * (RLIMIT_FSIZE), so that nothing of it can fill anything or make us wait. Whatever the program is (an older notifyd,
 * a script, something that hangs, crashes or forks) ends as a line in the log.
 *
 * Passed is who ends with status 0 and says that it reads the state it was shown. A notifyd of before this could be
 * asked checks the file and says nothing, and so does /bin/true.
 */
#include "worker/binary_check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/handover.h"
#include "worker/reexec.h"

enum { WORDS_MAX = 65536, LINES_MAX = 50, EXIT_NOT_EXECUTED = 127 };

struct binary_check {
    pid_t pid; /* 0: reaped */
    int status;
    int64_t ends_us;
    bool late;
    int out, err; /* what it wrote */
    char path[HANDOVER_PATH];
};

/* In the child: nothing of ours but the two descriptors goes over. */
static _Noreturn void execute(const struct binary_check *c, const char *argv0, const char *file, int state,
                              int memory)
{
    const struct rlimit words = {WORDS_MAX, WORDS_MAX}, no_core = {0, 0};
    char *const argv[] = {(char *)argv0, "-t", "-c", (char *)file, NULL};
    char number[16];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_FSIZE, &words);
    setrlimit(RLIMIT_CORE, &no_core); /* it reads the keys, and crashes are nobody's business here */
    dup2(c->out, STDOUT_FILENO);
    dup2(c->err, STDERR_FILENO);
    snprintf(number, sizeof number, "%d", state);
    if (fcntl(state, F_SETFD, 0) == 0 && fcntl(memory, F_SETFD, 0) == 0 &&
        setenv(REEXEC_ENVIRONMENT, number, 1) == 0)
        execv(c->path, argv);
    dprintf(STDERR_FILENO, "%s cannot be executed: %s\n", c->path, strerror(errno));
    _exit(EXIT_NOT_EXECUTED);
}

struct binary_check *binary_check_start(const char *path, const char *argv0, const char *file, int state,
                                        int memory, int64_t timeout_us)
{
    struct binary_check *c = mem_zalloc(sizeof *c);
    snprintf(c->path, sizeof c->path, "%s", path);
    c->out = memfd_create("notifyd-check", MFD_CLOEXEC);
    c->err = memfd_create("notifyd-check", MFD_CLOEXEC);
    c->ends_us = clock_mono_us() + timeout_us;
    c->pid = c->out >= 0 && c->err >= 0 ? fork() : -1;
    if (c->pid == 0)
        execute(c, argv0, file, state, memory);
    if (c->pid > 0)
        return c;
    LOG(LOG_ERROR, "reload_refused", LOG_TEXT("error", strerror(errno)),
        LOG_TEXT("advice", "the check of the program could not be started"));
    c->pid = 0;
    binary_check_end(c);
    return NULL;
}

/* It may have started others: they are of its group. */
static void kill_group(struct binary_check *c)
{
    kill(-c->pid, SIGKILL);
    kill(c->pid, SIGKILL);
}

bool binary_check_reaped(struct binary_check *c, pid_t pid, int status)
{
    if (!c || c->pid != pid)
        return false;
    kill(-pid, SIGKILL);
    c->pid = 0;
    c->status = status;
    return true;
}

/* All of FD, NUL-terminated; the caller frees it. */
static char *read_words(int fd)
{
    char *text = mem_zalloc(WORDS_MAX + 1);
    ssize_t n = pread(fd, text, WORDS_MAX, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

/* A line of the log for each line of FD, which the program wrote; how many. */
static int log_words(const struct binary_check *c, int fd)
{
    char *text = read_words(fd), *rest = text, *line;
    int lines = 0;
    while (lines < LINES_MAX && (line = strsep(&rest, "\n")) != NULL) {
        if (!*line)
            continue;
        LOG(LOG_ERROR, "reload_refused", LOG_TEXT("error", line), LOG_TEXT("program", c->path));
        lines++;
    }
    free(text);
    return lines;
}

static bool says_that_it_can(int fd)
{
    static const char words[] = BINARY_CHECK_SAYS HANDOVER_BEGINS "\n";
    char *text = read_words(fd);
    const char *at = strstr(text, words);
    bool said = at && (at == text || at[-1] == '\n');
    free(text);
    return said;
}

static void say_refused(const struct binary_check *c, const char *what)
{
    LOG(LOG_ERROR, "reload_refused", LOG_TEXT("error", what), LOG_TEXT("program", c->path),
        LOG_TEXT("advice", "nothing was changed; put a working notifyd there and send HUP again"));
}

static void say_why(const struct binary_check *c)
{
    char what[128];
    int words = log_words(c, c->err);
    if (c->late)
        say_refused(c, "the program did not end its check in time (reload_timeout)");
    else if (WIFSIGNALED(c->status)) {
        snprintf(what, sizeof what, "the program died of its check: %s", strsignal(WTERMSIG(c->status)));
        say_refused(c, what);
    } else if (WEXITSTATUS(c->status) == 0)
        say_refused(c, "the program does not say that it can take over from this one; restart to use it");
    else if (words == 0) {
        snprintf(what, sizeof what, "the program ended its check with status %d", WEXITSTATUS(c->status));
        say_refused(c, what);
    }
}

enum binary_check_outcome binary_check_look(struct binary_check *c, int64_t now_us)
{
    if (c->pid && !c->late && now_us >= c->ends_us) {
        c->late = true;
        kill_group(c);
    }
    if (c->pid)
        return BINARY_CHECK_RUNS;
    if (!c->late && WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0 && says_that_it_can(c->out))
        return BINARY_CHECK_PASSED;
    say_why(c);
    return BINARY_CHECK_REFUSED;
}

void binary_check_end(struct binary_check *c)
{
    if (!c)
        return;
    if (c->pid)
        kill_group(c);
    if (c->out >= 0)
        close(c->out);
    if (c->err >= 0)
        close(c->err);
    free(c);
}
