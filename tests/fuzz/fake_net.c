/*
 * fake_net - names, connections and answers that a fuzzer chooses
 *
 * The dynamic linker takes a program's own functions before those of libraries, so libcurl comes here with its names and
 * connections. Names are asked for by a thread of its own, which only reads.
 */
#include "tests/fuzz/fake_net.h"

#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"

enum { FAR_ENDS_MAX = 16, TIME_SPEED = 64, NAP_US = 30 };

struct fake_net fake_net;
static int far_ends[FAR_ENDS_MAX];
static size_t far_end_count;
static bool is_done;
static void (*tell)(struct transfer *transfer);

/* ---- in place of the C library ---- */

static struct addrinfo *make_address(const struct sockaddr_storage *addr, const char *service)
{
    struct addrinfo *made = mem_zalloc(sizeof *made);
    bool four = addr->ss_family == AF_INET;
    in_port_t port = htons((in_port_t)(service ? strtol(service, NULL, 10) : 0));
    made->ai_family = addr->ss_family;
    made->ai_socktype = SOCK_STREAM;
    made->ai_addrlen = four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    made->ai_addr = mem_dup(addr, sizeof *addr);
    if (four)
        ((struct sockaddr_in *)made->ai_addr)->sin_port = port;
    else
        ((struct sockaddr_in6 *)made->ai_addr)->sin6_port = port;
    return made;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)name;
    struct addrinfo **at = out;
    *out = NULL;
    for (size_t i = 0; i < fake_net.address_count; i++) {
        const struct sockaddr_storage *addr = &fake_net.addresses[i];
        if (hints && hints->ai_family != AF_UNSPEC && hints->ai_family != addr->ss_family)
            continue;
        *at = make_address(addr, service);
        at = &(*at)->ai_next;
    }
    return *out ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *first)
{
    while (first) {
        struct addrinfo *next = first->ai_next;
        free(first->ai_addr);
        free(first);
        first = next;
    }
}

/* FD becomes the near end of a pair in whose far end the answer lies, and nothing after it. */
static int answer_on(int fd)
{
    int pair[2], room = 1 << 20;
    if (far_end_count == FAR_ENDS_MAX ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    check(write(pair[1], fake_net.answer, fake_net.answer_size) == (ssize_t)fake_net.answer_size);
    shutdown(pair[1], SHUT_WR);
    far_ends[far_end_count++] = pair[1];
    check(dup2(pair[0], fd) == fd);
    close(pair[0]);
    return 0;
}

int connect(int fd, const struct sockaddr *addr, socklen_t size)
{
    if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6)
        return (int)syscall(SYS_connect, fd, addr, size);
    fake_net.connections++;
    if (fake_net.connecting)
        fake_net.connecting(addr);
    if (fake_net.answer)
        return answer_on(fd);
    errno = ECONNREFUSED;
    return -1;
}

/*
 * Time goes by quicker, for curl waits a quarter of a second before it tries another family of addresses. The time of
 * day is left as it is.
 */
int clock_gettime(clockid_t clock, struct timespec *out)
{
    bool of_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (clock == CLOCK_MONOTONIC_COARSE)
        clock = CLOCK_MONOTONIC;
    int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && !of_day) {
        int64_t ns = (out->tv_sec * INT64_C(1000000000) + out->tv_nsec) * TIME_SPEED;
        out->tv_sec = ns / 1000000000;
        out->tv_nsec = ns % 1000000000;
    }
    return result;
}

/* ---- transfers ---- */

static void on_done(struct transfer *transfer)
{
    check(!is_done);
    is_done = true;
    tell(transfer);
}

void fake_net_transfer(const struct transfer_settings *settings, const struct dest_request *request,
                       void (*done)(struct transfer *transfer))
{
    static struct event_base *base;
    if (!base) {
        check(curl_global_init(CURL_GLOBAL_DEFAULT) == 0);
        base = event_base_new();
        check(base != NULL);
    }
    struct transfers *all = transfers_new(base, settings);
    struct transfer transfer = {.request = *request, .done = on_done};
    fake_net.connections = 0;
    is_done = false;
    tell = done;
    transfers_start(all, &transfer);
    while (!is_done) {
        event_base_loop(base, fake_net.answer ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
        if (!fake_net.answer && !is_done)
            usleep(NAP_US); /* of true time */
    }
    transfers_free(all);
    while (far_end_count > 0)
        close(far_ends[--far_end_count]);
}
