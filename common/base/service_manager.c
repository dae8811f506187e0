/*
 * service_manager - tells the service manager how we are
 *
 * Owns nothing: a socket for each message, of which there are few. The address is the environment's, so a message goes
 * nowhere else than to whoever started us.
 */
#include "common/base/service_manager.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_MAX = 512, WAIT_US = 100000 };

static void send_to(const char *path, const char *message, size_t size)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length < 2 || length >= sizeof to.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(to.sun_path, path, length);
    if (*path == '@')
        to.sun_path[0] = 0; /* an abstract address: its length says where it ends */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval most = {.tv_usec = WAIT_US};
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    sendto(fd, message, size, MSG_NOSIGNAL, (const struct sockaddr *)&to,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}

void service_manager_tell(const char *format, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    char message[MESSAGE_MAX];
    va_list args;
    if (!path)
        return;
    va_start(args, format);
    int n = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (n > 0)
        send_to(path, message, (size_t)n < sizeof message ? (size_t)n : sizeof message - 1);
}

int64_t service_manager_watchdog_us(void)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!us || (pid && strtol(pid, NULL, 10) != getpid()))
        return 0;
    long long n = strtoll(us, NULL, 10);
    return n > 0 ? n : 0;
}
