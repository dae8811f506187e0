/*
 * log_sink - lines to standard error, whatever is at its other end
 *
 * A reader that lives and does not read would stop everything that logs: once a pipe is full, write(2) waits
 * for ever. Standard error is shared with whoever started us, so its O_NONBLOCK is not ours to set. Instead: a
 * pipe or a terminal is opened a second time, which gives a description of our own; a socket (systemd's
 * journal) is told with each send. Where a second opening is not allowed, the kernel is asked for room before
 * each piece; then another process can still take that room in between. A file is simply written.
 *
 * Owns that second descriptor, the count of lines that were lost, and whether the last one was cut.
 */
#include "common/base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 100 };

enum sink_kind { SINK_FILE, SINK_SOCKET, SINK_OWN, SINK_SHARED };

static struct {
    bool known;
    dev_t device;
    ino_t inode;
    enum sink_kind kind;
    int fd;
} sink = {.fd = -1};

static unsigned long lost;
static bool torn;

/* Look again each time: standard error may have been replaced since. */
static void find_sink(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) != 0 || (sink.known && st.st_dev == sink.device && st.st_ino == sink.inode))
        return;
    if (sink.kind == SINK_OWN && sink.known)
        close(sink.fd);
    sink.known = true;
    sink.device = st.st_dev;
    sink.inode = st.st_ino;
    sink.fd = STDERR_FILENO;
    sink.kind = S_ISSOCK(st.st_mode) ? SINK_SOCKET : SINK_FILE;
    if (!S_ISFIFO(st.st_mode) && !isatty(STDERR_FILENO))
        return;
    int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    sink.kind = own >= 0 ? SINK_OWN : SINK_SHARED;
    if (own >= 0)
        sink.fd = own;
}

static bool has_room(int patience_ms)
{
    struct pollfd p = {.fd = sink.fd, .events = POLLOUT};
    return poll(&p, 1, patience_ms) > 0;
}

static ssize_t write_some(const char *bytes, size_t size)
{
    if (sink.kind == SINK_SOCKET)
        return send(sink.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sink.kind != SINK_SHARED)
        return write(sink.fd, bytes, size);
    if (!has_room(0)) {
        errno = EAGAIN;
        return -1;
    }
    return write(sink.fd, bytes, size < PIPE_BUF ? size : PIPE_BUF);
}

bool log_sink_write(const char *line, size_t size)
{
    size_t done = 0;
    bool patient = lost == 0;
    find_sink();
    if (torn && write_some("\n", 1) == 1)
        torn = false;
    while (!torn && done < size) {
        ssize_t n = write_some(line + done, size - done);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || errno != EAGAIN || !patient)
            break;
        patient = false;
        has_room(PATIENCE_MS);
    }
    if (done == size) {
        lost = 0;
        return true;
    }
    torn |= done > 0;
    lost++;
    return false;
}

unsigned long log_sink_lost(void)
{
    static pid_t counter;
    if (counter != getpid()) {
        counter = getpid();
        lost = 0; /* counted before the fork, and told by the parent */
    }
    return lost;
}
