/*
 * mcp - the loop between the client's lines and the API
 *
 * Reads standard input when there is something and room for what it leads to, so that a client that writes and never reads holds up
 * itself alone. Ends, always with 0, when the client closes its end and what is under way is answered (mcp.grace, but what was canceled
 * is seen to for mcp.timeout), when nobody reads what it writes, or by TERM, INT and HUP at once.
 *
 * Nothing but lines of the protocol goes to standard output; the log goes to standard error. Waits by poll(2), since standard input may
 * be a file, which epoll does not take.
 */
#include "api/mcp/mcp.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/mcp/client.h"
#include "api/mcp/lines.h"
#include "api/mcp/outlet.h"
#include "api/mcp/session.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/libraries.h"
#include "common/log_loop.h"

enum { READ_MOST = 65536, SIGNALS = 3, BLOCKED_LOOK_US = 200000 };

struct mcp {
    const struct conf *conf;
    struct event_base *base;
    struct log_loop *log;
    struct client *client;
    struct session *session;
    struct lines lines;
    struct outlet *outlet;
    struct event *readable, *look, *grace, *blocked, *signals[SIGNALS];
    bool leaving;      /* the client has closed its end */
    int64_t leaves_us; /* when: for what may take longer than mcp.grace */
    char bytes[READ_MOST];
    size_t begin, end; /* of BYTES, those that no line was made of yet */
};

static void leave(struct mcp *m, const char *why)
{
    LOG(LOG_INFO, "ending", LOG_TEXT("reason", why));
    event_base_loopbreak(m->base);
}

/* ---- out ---- */

static void take_lines(struct mcp *m);

static void say(void *owner, const struct buf *line)
{
    struct mcp *m = owner;
    outlet_add(m->outlet, line);
}

static void on_drained(void *owner)
{
    struct mcp *m = owner;
    if (!m->leaving)
        take_lines(m);
}

static void on_broken(void *owner)
{
    leave(owner, "nobody reads standard output");
}

static const struct outlet_calls outlet_calls = {on_drained, on_broken};

/* ---- in ---- */

static bool take_line(void *owner, const char *line, size_t n)
{
    struct mcp *m = owner;
    session_take(m->session, line, n);
    return !outlet_is_full(m->outlet);
}

/*
 * Nothing is read while the outlet is full, so the end of the input is not seen; poll(2) tells of it all the same. A client that has
 * closed its end has mcp.grace to make room, else nobody will.
 */
static void on_blocked(evutil_socket_t fd, short what, void *arg)
{
    struct mcp *m = arg;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLRDHUP};
    (void)fd;
    (void)what;
    if (poll(&input, 1, 0) == 1 && !event_pending(m->grace, EV_TIMEOUT, NULL)) {
        struct timeval grace = clock_timeval(m->conf->mcp_grace);
        event_add(m->grace, &grace);
    }
}

static void watch_blocked(struct mcp *m)
{
    struct timeval often = {0, BLOCKED_LOOK_US};
    if (m->leaving)
        return;
    if (!outlet_is_full(m->outlet)) {
        event_del(m->blocked);
        event_del(m->grace);
    } else if (!event_pending(m->blocked, EV_TIMEOUT, NULL)) {
        event_add(m->blocked, &often);
    }
}

/* As many as there is room to answer, and read on only when that is all. */
static void take_lines(struct mcp *m)
{
    if (!outlet_is_full(m->outlet))
        m->begin += lines_feed(&m->lines, m->bytes + m->begin, m->end - m->begin, take_line, m);
    if (m->begin == m->end) {
        explicit_bzero(m->bytes, m->end); /* settings may be among them */
        m->begin = m->end = 0;
    }
    if (m->end == 0 && !outlet_is_full(m->outlet))
        event_add(m->readable, NULL);
    else
        event_del(m->readable);
    watch_blocked(m);
}

/* What a client did not want any more is to be stopped, also when it has gone. */
static bool may_cancel_on(const struct mcp *m)
{
    return m->leaving && session_is_canceling(m->session) &&
           clock_mono_us() < m->leaves_us + clock_us(m->conf->mcp_timeout);
}

/* Once the client is leaving: whether there is still something to wait for. */
static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct mcp *m = arg;
    (void)fd;
    (void)what;
    if (session_is_idle(m->session) && outlet_is_empty(m->outlet))
        leave(m, "standard input is closed");
    else if (!event_pending(m->grace, EV_TIMEOUT, NULL) && !may_cancel_on(m))
        leave(m, "standard input is closed, and mcp.grace is over");
}

static void on_grace(evutil_socket_t fd, short what, void *arg)
{
    struct mcp *m = arg;
    (void)fd;
    (void)what;
    if (!may_cancel_on(m))
        leave(m, "standard input is closed, and mcp.grace is over");
}

static void on_input_end(struct mcp *m)
{
    struct timeval often = {0, 10000}, grace = clock_timeval(m->conf->mcp_grace);
    m->leaving = true;
    m->leaves_us = clock_mono_us();
    event_del(m->readable);
    event_del(m->blocked);
    lines_end(&m->lines, take_line, m);
    session_end(m->session);
    event_add(m->look, &often);
    event_add(m->grace, &grace);
    event_active(m->look, EV_TIMEOUT, 1);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct mcp *m = arg;
    (void)what;
    ssize_t n = read(fd, m->bytes, sizeof m->bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        on_input_end(m);
        return;
    }
    m->end = (size_t)n;
    take_lines(m);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    leave(arg, "a signal");
}

/* ---- life ---- */

static void make_base(struct mcp *m)
{
    struct event_config *config = event_config_new();
    mem_check(config != NULL);
    event_config_avoid_method(config, "epoll");
    event_config_avoid_method(config, "select");
    m->base = event_base_new_with_config(config);
    mem_check(m->base != NULL);
    event_config_free(config);
}

static void make(struct mcp *m, const struct mcp_options *options)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    struct client_settings client = {
        .url = options->url,
        .token = options->token,
        .ca_file = options->ca_file,
        .allow_http = options->allow_http,
        .timeout_s = m->conf->mcp_timeout,
        .answer_max = (size_t)m->conf->mcp_answer_bytes,
    };
    libraries_begin_curl();
    signal(SIGPIPE, SIG_IGN);
    make_base(m);
    m->client = client_new(m->base, &client);
    struct session_settings session = {
        .conf = m->conf,
        .base = m->base,
        .client = m->client,
        .open = options->open,
        .say = say,
        .owner = m,
    };
    m->session = session_new(&session);
    lines_init(&m->lines, (size_t)m->conf->mcp_line_bytes);
    m->outlet = outlet_new(m->base, STDOUT_FILENO, &outlet_calls, m);
    m->readable = event_new(m->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_readable, m);
    m->look = event_new(m->base, -1, EV_PERSIST, on_look, m);
    m->grace = event_new(m->base, -1, 0, on_grace, m);
    m->blocked = event_new(m->base, -1, EV_PERSIST, on_blocked, m);
    for (int i = 0; i < SIGNALS; i++) {
        m->signals[i] = evsignal_new(m->base, numbers[i], on_signal, m);
        mem_check(event_add(m->signals[i], NULL) == 0);
    }
    m->log = log_loop_new(m->base);
    mem_check(event_add(m->readable, NULL) == 0);
}

static void free_all(struct mcp *m)
{
    session_free(m->session); /* before the client and the outlet, which its calls use */
    client_free(m->client);
    outlet_free(m->outlet);
    lines_free(&m->lines);
    event_free(m->readable);
    event_free(m->look);
    event_free(m->grace);
    event_free(m->blocked);
    for (int i = 0; i < SIGNALS; i++)
        event_free(m->signals[i]);
    log_loop_free(m->log);
    event_base_free(m->base);
    explicit_bzero(m->bytes, sizeof m->bytes);
    free(m);
    curl_global_cleanup();
}

int mcp_run(const struct conf *conf, const struct mcp_options *options)
{
    struct mcp *m = mem_zalloc(sizeof *m);
    m->conf = conf;
    make(m, options);
    LOG(LOG_INFO, "mcp_serving", LOG_TEXT("api", options->url));
    event_base_dispatch(m->base);
    free_all(m);
    return 0;
}
