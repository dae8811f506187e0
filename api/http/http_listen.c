/*
 * http_listen - a listening socket
 */
#include "api/http/http_listen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"

enum { BACKLOG = 1024 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

int http_listen(const char *host, int port, char *why, size_t size)
{
    union address at = {.v6 = {0}};
    socklen_t length = sizeof at.v6;
    int on = 1;
    if (inet_pton(AF_INET6, host, &at.v6.sin6_addr) == 1) {
        at.v6.sin6_family = AF_INET6;
        at.v6.sin6_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET, host, &at.v4.sin_addr) == 1) {
        at.v4.sin_family = AF_INET;
        at.v4.sin_port = htons((uint16_t)port);
        length = sizeof at.v4;
    } else {
        snprintf(why, size, "%s is no address", host);
        return -1;
    }
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, &at.any, length) < 0 || listen(fd, BACKLOG) < 0) {
        snprintf(why, size, "%m");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

int http_listen_port(int fd)
{
    union address at = {.v6 = {0}};
    socklen_t size = sizeof at;
    check(getsockname(fd, &at.any, &size) == 0);
    return at.any.sa_family == AF_INET6 ? ntohs(at.v6.sin6_port) : ntohs(at.v4.sin_port);
}
