/*
 * reexec - the supervisor becomes another program and stays the same process
 *
 * Owns the path that we were executed from and the environment variable that names the state. What an execution keeps
 * is kept on purpose: the process with its children, blocked and pending signals, limits, standard error, and three
 * descriptors: the state, the shared memory, the agent's listening socket. Every other one is close-on-exec.
 *
 * The path is the one that the kernel was given (AT_EXECFN), since the file there is what an upgrade replaces;
 * /proc/self/exe would lead to the old one, which has no name any more.
 */
#include "worker/reexec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"

static char **arguments;
static char program[HANDOVER_PATH];

static void set_path(const char *executed)
{
    char folder[HANDOVER_PATH] = "";
    if (*executed != '/' && !getcwd(folder, sizeof folder))
        return;
    int n = snprintf(program, sizeof program, "%s%s%s", folder, *folder ? "/" : "", executed);
    if (n < 0 || (size_t)n >= sizeof program)
        *program = 0;
}

/* A descriptor of ours that took the place of a closed standard one could not be told from it later. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void reexec_begin(char **argv)
{
    const char *executed = (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr) */
    arguments = argv;
    fill_standard_descriptors();
    if (executed && *executed)
        set_path(executed);
}

const char *reexec_path(void)
{
    return program;
}

const char *reexec_name(void)
{
    return arguments[0];
}

/* The descriptor in TEXT, which is one of a file; else -1. */
static int read_descriptor(const char *text)
{
    char *end;
    struct stat st;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n <= STDERR_FILENO || n > 1 << 20 || fstat((int)n, &st) != 0 ||
        !S_ISREG(st.st_mode))
        return -1;
    return (int)n;
}

static bool read_state(int fd, struct handover *h, const char **why)
{
    struct stat st;
    *why = "its descriptor is no state";
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > HANDOVER_SIZE)
        return false;
    char *text = mem_alloc((size_t)st.st_size);
    bool good = pread(fd, text, (size_t)st.st_size, 0) == st.st_size &&
                handover_read(h, text, (size_t)st.st_size, why);
    free(text);
    return good;
}

/* Whole and for good: who takes the memory over needs it for as long as its processes live. */
static bool map_memory(const struct handover *h, bool is_check, struct shared_header **header,
                       const char **why)
{
    struct stat st;
    *why = "the memory is no descriptor of its process";
    if (h->memory <= STDERR_FILENO || fstat(h->memory, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size < (off_t)sizeof **header)
        return false;
    void *p = mmap(NULL, (size_t)st.st_size, is_check ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED,
                   h->memory, 0);
    if (p == MAP_FAILED)
        return false;
    *header = p;
    *why = "the memory is described in another way, by a version that is much older or newer";
    return shared_header_is_sound(*header, (uint64_t)st.st_size);
}

enum reexec_state reexec_take(struct handover *h, struct shared_header **header, bool is_check,
                              const char **why)
{
    const char *text = getenv(REEXEC_ENVIRONMENT);
    *h = (struct handover){.listen = -1, .memory = -1};
    if (!text)
        return REEXEC_NONE;
    int fd = read_descriptor(text);
    unsetenv(REEXEC_ENVIRONMENT); /* children must not take it for theirs; TEXT is gone */
    if (!read_state(fd, h, why))
        return REEXEC_BAD;
    *why = "it is another process's";
    if (h->pid != (is_check ? getppid() : getpid()) || !map_memory(h, is_check, header, why))
        return REEXEC_BAD;
    close(fd);
    fcntl(h->memory, F_SETFD, FD_CLOEXEC);
    if (h->listen >= 0)
        fcntl(h->listen, F_SETFD, FD_CLOEXEC);
    snprintf(program, sizeof program, "%s", h->path);
    return REEXEC_GOOD;
}

int reexec_state(const char *text, size_t size)
{
    int fd = memfd_create("notifyd-state", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < size) {
        ssize_t n = write(fd, text + done, size - done);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    return fd;
}

static void set_close_on_exec(int state, const struct handover *h, int flag)
{
    fcntl(state, F_SETFD, flag);
    fcntl(h->memory, F_SETFD, flag);
    if (h->listen >= 0)
        fcntl(h->listen, F_SETFD, flag);
}

int reexec_go(int state, const struct handover *h)
{
    char number[16];
    snprintf(number, sizeof number, "%d", state);
    if (setenv(REEXEC_ENVIRONMENT, number, 1) != 0)
        return -errno;
    set_close_on_exec(state, h, 0);
    log_end(); /* what the limit has left out, which the program in our place knows nothing of */
    execv(program, arguments);
    int failed = errno;
    set_close_on_exec(state, h, FD_CLOEXEC);
    unsetenv(REEXEC_ENVIRONMENT);
    return -failed;
}
