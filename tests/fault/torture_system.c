/*
 * torture_system - calls of the kernel that fail
 *
 * A connection on which a call failed is gone, as it would be: it is shut down both ways, so that what follows fails too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "torture.h"

static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool breaks(int fd, int error)
{
    if (!torture_fails(TORTURE_SOCKET, error))
        return false;
    shutdown(fd, SHUT_RDWR);
    errno = error;
    return true;
}

/* read and write are used for sockets and for everything else. */
static bool stream_breaks(int fd, int error, int file_error)
{
    if (!torture_table)
        return false;
    return is_socket(fd) ? breaks(fd, error) : torture_fails(TORTURE_KERNEL, file_error);
}

#define REAL(name, ...) (TORTURE_REAL(name)(__VA_ARGS__))

/* --- sockets: TYPE NAME(PARAMETERS), with these ARGUMENTS, fails by WHEN with RESULT */
#define CALL(type, name, parameters, when, result, ...)                                                      \
    type name parameters                                                                                     \
    {                                                                                                        \
        return (when) ? (result) : REAL(name, __VA_ARGS__);                                                  \
    }
#define SOCKET(error) torture_fails(TORTURE_SOCKET, error)
#define KERNEL(error) torture_fails(TORTURE_KERNEL, error)

CALL(int, socket, (int domain, int type, int protocol), SOCKET(EMFILE), -1, domain, type, protocol)
CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t n), breaks(fd, ECONNREFUSED), -1, fd, to, n)
CALL(int, bind, (int fd, const struct sockaddr *to, socklen_t n), SOCKET(EADDRINUSE), -1, fd, to, n)
CALL(int, listen, (int fd, int backlog), SOCKET(EADDRINUSE), -1, fd, backlog)
CALL(int, accept, (int fd, struct sockaddr *from, socklen_t *n), SOCKET(EMFILE), -1, fd, from, n)
CALL(int, accept4, (int fd, struct sockaddr *from, socklen_t *n, int flags), SOCKET(EMFILE), -1, fd, from, n,
     flags)
CALL(ssize_t, send, (int fd, const void *p, size_t n, int flags), breaks(fd, EPIPE), -1, fd, p, n, flags)
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), breaks(fd, EPIPE), -1, fd, m, flags)
CALL(ssize_t, sendto, (int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t tn),
     breaks(fd, EPIPE), -1, fd, p, n, flags, to, tn)
CALL(ssize_t, recv, (int fd, void *p, size_t n, int flags), breaks(fd, ECONNRESET), -1, fd, p, n, flags)
CALL(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), breaks(fd, ECONNRESET), -1, fd, m, flags)
CALL(ssize_t, recvfrom, (int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *fn),
     breaks(fd, ECONNRESET), -1, fd, p, n, flags, from, fn)
CALL(int, setsockopt, (int fd, int level, int name, const void *p, socklen_t n), SOCKET(ENOBUFS), -1, fd,
     level, name, p, n)
CALL(int, getsockopt, (int fd, int level, int name, void *p, socklen_t *n), SOCKET(ENOBUFS), -1, fd, level,
     name, p, n)
CALL(int, getsockname, (int fd, struct sockaddr *p, socklen_t *n), SOCKET(ENOBUFS), -1, fd, p, n)
CALL(int, getpeername, (int fd, struct sockaddr *p, socklen_t *n), breaks(fd, ENOTCONN), -1, fd, p, n)
CALL(int, getaddrinfo,
     (const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found), SOCKET(0),
     EAI_AGAIN, host, port, hints, found)

/* --- sockets and files */
CALL(ssize_t, read, (int fd, void *p, size_t n), stream_breaks(fd, ECONNRESET, EIO), -1, fd, p, n)
CALL(ssize_t, readv, (int fd, const struct iovec *v, int n), stream_breaks(fd, ECONNRESET, EIO), -1, fd, v, n)
CALL(ssize_t, write, (int fd, const void *p, size_t n), stream_breaks(fd, EPIPE, ENOSPC), -1, fd, p, n)
CALL(ssize_t, writev, (int fd, const struct iovec *v, int n), stream_breaks(fd, EPIPE, ENOSPC), -1, fd, v, n)

/* --- the rest of the kernel */
CALL(int, epoll_create1, (int flags), KERNEL(EMFILE), -1, flags)
CALL(int, epoll_ctl, (int fd, int what, int other, struct epoll_event *event),
     what != EPOLL_CTL_DEL && KERNEL(ENOSPC), -1, fd, what, other, event)
CALL(int, epoll_wait, (int fd, struct epoll_event *events, int n, int ms), KERNEL(EINTR), -1, fd, events, n,
     ms)
CALL(int, poll, (struct pollfd * fds, nfds_t n, int ms), KERNEL(EINTR), -1, fds, n, ms)
CALL(int, eventfd, (unsigned start, int flags), KERNEL(EMFILE), -1, start, flags)
CALL(int, timerfd_create, (clockid_t clock, int flags), KERNEL(EMFILE), -1, clock, flags)
CALL(int, pipe2, (int fds[2], int flags), KERNEL(EMFILE), -1, fds, flags)
CALL(int, pipe, (int fds[2]), KERNEL(EMFILE), -1, fds)
CALL(int, socketpair, (int domain, int type, int protocol, int fds[2]), KERNEL(EMFILE), -1, domain, type,
     protocol, fds)
CALL(FILE *, fopen, (const char *path, const char *mode), KERNEL(EMFILE), NULL, path, mode)
CALL(FILE *, fopen64, (const char *path, const char *mode), KERNEL(EMFILE), NULL, path, mode)
CALL(DIR *, opendir, (const char *path), KERNEL(EMFILE), NULL, path)
CALL(int, pthread_create, (pthread_t * id, const pthread_attr_t *how, void *(*run)(void *), void *arg),
     KERNEL(0), EAGAIN, id, how, run, arg)

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    return KERNEL(EMFILE) ? -1 : REAL(open, path, flags, mode);
}

pid_t fork(void)
{
    if (KERNEL(EAGAIN))
        return -1;
    pid_t child = REAL(fork);
    int next = TORTURE_NEXT_CHILD;
    if (child == 0 && torture_table)
        atomic_compare_exchange_strong(&torture_table->pid, &next, getpid());
    return child;
}
