/*
 * agent_listen - the agent's listening socket, held by the supervisor
 *
 * Owns one descriptor. The supervisor never accepts from it: it has no connections. But it is what both generations and
 * the next execution have in common. One agent at a time accepts: where the memory has another layout, the old one does not see
 * what the new workers count, and figures told by both in turn would rise and fall. (With SO_REUSEPORT each agent would have a socket of its own, and what waits in
 * the line of the one that closes would be refused; and two pools with the same address would not notice each other.)
 *
 * Addresses that are names are left to the agent: to look one up may take long, and nothing here may.
 */
#include "worker/agent_listen.h"

#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/handover.h"

enum { BACKLOG = 128 };

static int descriptor = -1;
static char at[HANDOVER_LISTEN];
static bool waits;

int agent_listen_descriptor(void)
{
    return descriptor;
}

void agent_listen_wait(bool wait)
{
    waits = wait;
}

bool agent_listen_waits(void)
{
    return waits;
}

const char *agent_listen_at(void)
{
    return at;
}

void agent_listen_close(void)
{
    if (descriptor >= 0)
        close(descriptor);
    descriptor = -1;
    *at = 0;
}

void agent_listen_take(int fd, const char *listen)
{
    agent_listen_close();
    descriptor = fd;
    snprintf(at, sizeof at, "%s", listen);
}

void agent_listen_open(const char *address)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to = {.v6 = {0}};
    int size = sizeof to, on = 1;
    if (descriptor >= 0 && strcmp(address, at) == 0)
        return;
    agent_listen_close(); /* the agents that accept there have it, too, and go on */
    if (evutil_parse_sockaddr_port(address, &to.any, &size) != 0 ||
        (to.any.sa_family == AF_INET ? to.v4.sin_port : to.v6.sin6_port) == 0)
        return;
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, &to.any, (socklen_t)size) != 0 || listen(fd, BACKLOG) != 0) {
        close(fd);
        return;
    }
    agent_listen_take(fd, address);
}
