/*
 * ctl_dial - a TCP connection, or why there is none
 *
 * librabbitmq connects by itself too, but then says "a socket error occurred" of every reason.
 */
#include "api/ctl/ctl_dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"

/* 0 when the connection that FD makes is there before the deadline, else why not, as in errno. */
static int wait_connected(int fd, int64_t deadline_us)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int error = 0, ready;
    socklen_t size = sizeof error;
    do {
        int64_t left_us = deadline_us - clock_mono_us();
        ready = poll(&wait, 1, left_us > 0 ? (int)(left_us / 1000 + 1) : 0);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return ready < 0 ? errno : ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/* The socket, or -1 with *ERROR as in errno. */
static int connect_one(const struct addrinfo *address, int64_t deadline_us, int *error)
{
    int one = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *error = 0;
    if (fd < 0) {
        *error = errno;
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
        *error = errno == EINPROGRESS ? wait_connected(fd, deadline_us) : errno;
    if (!*error)
        return fd;
    close(fd);
    return -1;
}

int ctl_dial(const char *host, int port, int timeout_ms, char why[128])
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    char service[16];
    int fd = -1, error = 0;
    snprintf(service, sizeof service, "%d", port);
    int found = getaddrinfo(host, service, &hints, &addresses);
    if (found != 0) {
        snprintf(why, 128, "%s", gai_strerror(found));
        return -1;
    }
    int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
    for (struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next)
        fd = connect_one(a, deadline_us, &error);
    freeaddrinfo(addresses);
    if (fd < 0)
        snprintf(why, 128, "%s", strerror(error));
    return fd;
}
