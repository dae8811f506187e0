/*
 * dial - name look-up and TCP connect on the loop
 *
 * getaddrinfo(3) and connect(2) block; a broker whose name server is away must not stop deliveries. Owns a
 * libevent resolver and, per dial, one request, one socket and one timer: first for the look-up, then for each
 * address. Each dial calls back exactly once
 * and is freed then; cancelled ones call nothing. Knows nothing of what is spoken on the socket.
 */
#include "common/net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"

struct dialer {
    struct event_base *base;
    struct evdns_base *dns;
};

struct dial {
    struct dialer *dialer;
    struct evdns_getaddrinfo_request *request; /* NULL: not looking up */
    struct evutil_addrinfo *addresses;
    struct evutil_addrinfo *at;
    int fd;
    struct event *connected;
    struct event *deadline;
    int64_t timeout_us;
    int64_t connect_until_us;
    bool only_resolve;
    int try_number;
    void (*on_socket)(void *, int, const char *);
    void (*on_address)(void *, const char *, const char *);
    void *owner;
    char host[256];
    char why[400];
};

struct dialer *dialer_new(struct event_base *base)
{
    struct dialer *d = mem_zalloc(sizeof *d);
    d->base = base;
    d->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!d->dns) {
        /* No usable /etc/resolv.conf: addresses and /etc/hosts still work. */
        d->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        check(d->dns != NULL);
        evdns_base_load_hosts(d->dns, "/etc/hosts");
    }
    return d;
}

void dialer_free(struct dialer *d)
{
    evdns_base_free(d->dns, 0);
    free(d);
}

static void free_dial(struct dial *d)
{
    if (d->connected)
        event_free(d->connected);
    if (d->deadline)
        event_free(d->deadline);
    if (d->fd >= 0)
        close(d->fd);
    if (d->addresses)
        evutil_freeaddrinfo(d->addresses);
    free(d);
}

static void finish(struct dial *d, int fd)
{
    void (*call)(void *, int, const char *) = d->on_socket;
    void *owner = d->owner;
    char why[sizeof d->why];
    memcpy(why, d->why, sizeof why);
    d->fd = -1;
    free_dial(d);
    call(owner, fd, fd < 0 ? why : NULL);
}

/* No address: d->why says it. */
static void fail_look_up(struct dial *d)
{
    if (!d->only_resolve) {
        finish(d, -1);
        return;
    }
    void (*call)(void *, const char *, const char *) = d->on_address;
    void *owner = d->owner;
    char why[sizeof d->why];
    memcpy(why, d->why, sizeof why);
    free_dial(d);
    call(owner, NULL, why);
}

static void try_next(struct dial *d);

static void give_up_address(struct dial *d, const char *why)
{
    snprintf(d->why, sizeof d->why, "connect: %s", why);
    if (d->connected)
        event_free(d->connected);
    d->connected = NULL;
    close(d->fd);
    d->fd = -1;
    d->at = d->at->ai_next;
    try_next(d);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct dial *d = arg;
    int error = 0;
    socklen_t size = sizeof error;
    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error) {
        give_up_address(d, strerror(error));
        return;
    }
    finish(d, (int)fd);
}

/* An equal part of what is left, for the address at hand and each one after it. */
static void set_deadline(struct dial *d)
{
    int count = 1;
    for (const struct evutil_addrinfo *at = d->at->ai_next; at; at = at->ai_next)
        count++;
    int64_t part = (d->connect_until_us - clock_mono_us()) / count;
    if (part < 0)
        part = 0;
    event_add(d->deadline, &(struct timeval){part / 1000000, part % 1000000});
}

static bool watch_connect(struct dial *d)
{
    d->connected = event_new(d->dialer->base, d->fd, EV_WRITE, on_connected, d);
    if (event_add(d->connected, NULL) == 0) {
        set_deadline(d);
        return true;
    }
    int why = errno;
    event_free(d->connected);
    d->connected = NULL;
    errno = why;
    return false;
}

/* Start connecting to the next address that lets us; on the last failure call back. */
static void try_next(struct dial *d)
{
    for (; d->at; d->at = d->at->ai_next) {
        int one = 1;
        d->fd = socket(d->at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (d->fd >= 0) {
            setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            setsockopt(d->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
            if ((connect(d->fd, d->at->ai_addr, d->at->ai_addrlen) == 0 || errno == EINPROGRESS) &&
                watch_connect(d))
                return;
            snprintf(d->why, sizeof d->why, "connect: %s", strerror(errno));
            close(d->fd);
            d->fd = -1;
        } else {
            snprintf(d->why, sizeof d->why, "socket: %s", strerror(errno));
        }
    }
    finish(d, -1);
}

/* Step on to the address that this try is for. */
static void choose_address(struct dial *d)
{
    int count = 0;
    for (struct evutil_addrinfo *at = d->addresses; at; at = at->ai_next)
        count++;
    for (int steps = d->try_number % count; steps > 0; steps--)
        d->at = d->at->ai_next;
}

static void report_address(struct dial *d)
{
    char text[INET6_ADDRSTRLEN] = "";
    const struct sockaddr *sa = d->at->ai_addr;
    if (sa->sa_family == AF_INET)
        evutil_inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, text,
                         sizeof text);
    else
        evutil_inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, text,
                         sizeof text);
    void (*call)(void *, const char *, const char *) = d->on_address;
    void *owner = d->owner;
    free_dial(d);
    call(owner, text, NULL);
}

/* Goes on from the loop, so that dial_start never calls back before it has returned. */
static void on_looked_up(evutil_socket_t fd, short what, void *arg)
{
    struct dial *d = arg;
    (void)fd;
    (void)what;
    event_free(d->connected);
    d->connected = NULL;
    if (!d->addresses) {
        fail_look_up(d);
        return;
    }
    d->at = d->addresses;
    if (d->only_resolve) {
        choose_address(d);
        report_address(d);
        return;
    }
    d->connect_until_us = clock_mono_us() + d->timeout_us;
    try_next(d);
}

/* The machine's name servers and hosts may have changed since the process started. */
static void read_configuration_again(struct dialer *d)
{
    evdns_base_clear_nameservers_and_suspend(d->dns);
    evdns_base_clear_host_addresses(d->dns);
    evdns_base_resolv_conf_parse(d->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    evdns_base_load_hosts(d->dns, "/etc/hosts");
    evdns_base_resume(d->dns);
}

static const char *name_trouble(int error)
{
    switch (error) {
    case EVUTIL_EAI_NONAME:
    case EVUTIL_EAI_NODATA:
        return "host name not found";
    case EVUTIL_EAI_AGAIN:
        return "the name server does not answer";
    default:
        return evutil_gai_strerror(error);
    }
}

static void on_addresses(int error, struct evutil_addrinfo *addresses, void *arg)
{
    struct dial *d = arg;
    d->request = NULL;
    if (error == EVUTIL_EAI_CANCEL && !d->dialer) {
        free_dial(d); /* dial_cancel asked for it */
        return;
    }
    d->addresses = addresses;
    if (error) {
        snprintf(d->why, sizeof d->why, "name look-up: the name %s: %s", d->host, name_trouble(error));
        read_configuration_again(d->dialer);
    }
    d->connected = event_new(d->dialer->base, -1, 0, on_looked_up, d);
    event_active(d->connected, EV_TIMEOUT, 1);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct dial *d = arg;
    (void)fd;
    (void)what;
    if (d->request) {
        struct evdns_getaddrinfo_request *request = d->request;
        event_del(d->deadline);
        evdns_getaddrinfo_cancel(request); /* calls on_addresses with an error */
        return;
    }
    if (d->connected && d->fd < 0)
        return; /* looked up at the last moment: on_looked_up is about to run */
    give_up_address(d, "no answer in time");
}

static struct dial *start(struct dialer *dialer, const char *host, int port, double timeout_s, struct dial *d)
{
    char service[16];
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_ADDRCONFIG};
    struct timeval tv = clock_timeval(timeout_s);
    snprintf(d->host, sizeof d->host, "%s", host);
    d->dialer = dialer;
    d->fd = -1;
    d->timeout_us = clock_us(timeout_s);
    d->deadline = event_new(dialer->base, -1, 0, on_deadline, d);
    event_add(d->deadline, &tv);
    snprintf(service, sizeof service, "%d", port);
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(dialer->dns, host, service, &hints, on_addresses, d);
    if (request)
        d->request = request;
    return d;
}

struct dial *dial_start(struct dialer *dialer, const char *host, int port, double timeout_s,
                        void (*done)(void *, int, const char *), void *owner)
{
    struct dial *d = mem_zalloc(sizeof *d);
    d->on_socket = done;
    d->owner = owner;
    return start(dialer, host, port, timeout_s, d);
}

struct dial *dial_resolve(struct dialer *dialer, const char *host, int try_number, double timeout_s,
                          void (*done)(void *, const char *, const char *), void *owner)
{
    struct dial *d = mem_zalloc(sizeof *d);
    d->only_resolve = true;
    d->try_number = try_number;
    d->on_address = done;
    d->owner = owner;
    return start(dialer, host, 0, timeout_s, d);
}

void dial_cancel(struct dial *d)
{
    if (!d->request) {
        free_dial(d);
        return;
    }
    struct evdns_getaddrinfo_request *request = d->request;
    event_del(d->deadline);
    d->dialer = NULL; /* tells on_addresses */
    evdns_getaddrinfo_cancel(request);
}
