/*
 * transfer - one HTTP request, with caps, a deadline and the address policy
 *
 * Owns a curl multi handle, its sockets' events, one timer, and a pool of easy handles whose constant options
 * are set once. Invariants: every started transfer calls back exactly once, unless cancelled, and never from
 * inside curl; no byte beyond the caps is kept; no connection is made to an address that the policy refuses,
 * because the socket is only opened after the address that curl will really use was judged. A kept
 * connection was judged when it was made, under the same policy, which never changes within a process.
 *
 * One transfer is one request on the wire. When a kept connection breaks before the first byte of an answer, curl would
 * make the request again by itself; whoever counts attempts would not know of it.
 *
 * Redirects are not followed, compression is not asked for and not undone (an answer is a short text; what
 * is not inflated cannot be a bomb), proxies of the environment are ignored. Knows no destination.
 */
#include "common/egress/transfer.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/http_time.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/egress/answer.h"

enum { POOL_MAX = 256, RECEIVE_BUFFER = 4096, HEADER_TEXT_MAX = 65536, CA_CACHE_S = 3600 };

struct transfer_state {
    struct list link; /* in transfers: active or pool */
    struct transfers *owner;
    CURL *easy;
    struct curl_slist headers[DEST_HEADERS_MAX + 1];
    struct buf header_text;
    struct transfer *transfer;
    struct answer answer;
    bool address_refused;
    bool asked;       /* the request was let go */
    bool asked_again; /* and curl wanted to make it a second time */
    bool running;     /* known to curl */
    char refused_address[64];
    char error[CURL_ERROR_SIZE];
    int64_t started_us;
    CURLcode result;
};

struct transfers {
    struct event_base *base;
    struct transfer_settings settings;
    CURLM *multi;
    struct event *timer;
    struct event *finish;
    struct list active;
    struct list finished;
    struct list pool;
    size_t active_count;
    size_t pool_count;
    struct watched *watched; /* by descriptor */
    size_t watched_room;
};

/*
 * What curl wants to be told about one socket. It takes a socket off the loop after each answer and puts it back with
 * the next request; the event stays where it is meanwhile, and is taken off when the receiver says something that
 * nobody asked for (that it closes, as a rule), or when curl closes the socket. Only for sockets of open_socket, whose
 * close we see: an event of a closed one would hide the next socket of its number from epoll.
 */
struct watched {
    struct event *event;
    short events; /* that it waits for */
    bool wanted;  /* curl wants to be told */
    bool ours;    /* made by open_socket */
};

static void collect(struct transfers *t);

static void kick(struct transfers *t, curl_socket_t fd, int what)
{
    int running;
    /* After an error nobody knows which transfers still live: begin anew in another process. */
    check(curl_multi_socket_action(t->multi, fd, what, &running) == CURLM_OK);
    collect(t);
}

static struct watched *watched_at(struct transfers *t, curl_socket_t fd)
{
    size_t at = (size_t)fd;
    if (at >= t->watched_room) {
        size_t room = (at + 1) * 2;
        t->watched = mem_realloc(t->watched, room * sizeof *t->watched);
        memset(t->watched + t->watched_room, 0, (room - t->watched_room) * sizeof *t->watched);
        t->watched_room = room;
    }
    return &t->watched[at];
}

static void unwatch(struct watched *w)
{
    if (w->event)
        event_free(w->event);
    w->event = NULL;
    w->wanted = false;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct transfers *t = arg;
    struct watched *w = watched_at(t, fd);
    if (!w->wanted) {
        unwatch(w);
        return;
    }
    int action = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    kick(t, (curl_socket_t)fd, action);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    kick(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct transfers *t = arg;
    struct watched *w = watched_at(t, fd);
    (void)easy;
    (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        w->wanted = false;
        if (!w->ours)
            unwatch(w);
        return 0;
    }
    short events =
        (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
    if (!w->event || w->events != events) {
        unwatch(w);
        w->events = events;
        w->event = event_new(t->base, fd, events, on_socket, t);
        event_add(w->event, NULL); /* unwatched, it ends with its deadline; curl would give up all of them */
    }
    w->wanted = true;
    return 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    struct transfers *t = arg;
    (void)multi;
    if (ms < 0) {
        event_del(t->timer);
        return 0;
    }
    event_add(t->timer, &(struct timeval){ms / 1000, ms % 1000 * 1000});
    return 0;
}

/* The gate of the address policy: curl asks for the socket of an address that it is about to connect to. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer_state *s = arg;
    struct transfers *t = s->owner;
    (void)purpose;
    /* With a proxy the address is the proxy's, which the operator chose. Refusal is sticky: a name that
     * resolves to a public and a private address is not tried further. */
    if (!*t->settings.proxy &&
        (s->address_refused || !address_is_allowed(&t->settings.policy, &address->addr))) {
        if (!s->address_refused)
            address_format(&address->addr, s->refused_address);
        s->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd >= 0)
        watched_at(t, fd)->ours = true;
    return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
    struct watched *w = watched_at(arg, fd);
    unwatch(w); /* before the number can be given out again */
    w->ours = false;
    return close(fd);
}

/*
 * The last word before a request is sent: a connection may stand although another address of the same name
 * was refused meanwhile, for curl tries the second family while the first one hesitates. Or the request was made before.
 */
static int allow_request(void *arg, char *peer, char *own, int peer_port, int own_port)
{
    struct transfer_state *s = arg;
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    s->asked_again = s->asked;
    s->asked = true;
    return s->address_refused || s->asked_again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* Less than N ends the transfer: when a body is cut the status is known, and the rest is not wanted. */
static size_t take_body(char *bytes, size_t one, size_t n, void *arg)
{
    struct transfer_state *s = arg;
    (void)one;
    return answer_add_body(&s->answer, bytes, n) ? n : 0;
}

static size_t take_header(char *bytes, size_t one, size_t n, void *arg)
{
    struct transfer_state *s = arg;
    (void)one;
    return answer_add_header(&s->answer, bytes, n) ? n : 0;
}

/* Options that are the same for every request of this process. */
static void set_constant_options(struct transfer_state *s)
{
    const struct transfer_settings *set = &s->owner->settings;
    CURL *e = s->easy;
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PRIVATE, s);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->error);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, set->allow_http ? "https,http" : "https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROXY, set->proxy);
    curl_easy_setopt(e, CURLOPT_NOPROXY,
                     *set->proxy ? "" : "*"); /* else the environment is asked, each time */
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(set->timeout_s * 1000));
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(set->connect_timeout_s * 1000));
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* else a timeout waits for the resolver's thread */
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, 60L);
    curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, 600L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (*set->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, set->ca_file);
    /* Debian's folder of hashed names would be trusted besides ca_file; and only without a folder does curl
     * keep the authorities that it has read; reading Debian's 140 anew for each connection took 90 ms. */
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, s);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, s->owner);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, allow_request);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, s);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
}

static struct transfer_state *take_state(struct transfers *t)
{
    struct list *at = list_shift(&t->pool);
    if (at) {
        t->pool_count--;
        return list_entry(at, struct transfer_state, link);
    }
    struct transfer_state *s = mem_zalloc(sizeof *s);
    list_init(&s->link);
    s->owner = t;
    s->easy = curl_easy_init();
    mem_check(s->easy != NULL);
    answer_init(&s->answer, t->settings.max_response, t->settings.max_headers);
    buf_init(&s->header_text, HEADER_TEXT_MAX);
    set_constant_options(s);
    return s;
}

static void free_state(struct transfer_state *s)
{
    curl_easy_cleanup(s->easy);
    buf_wipe(&s->header_text);
    answer_free(&s->answer);
    free(s);
}

static void give_state(struct transfers *t, struct transfer_state *s)
{
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, NULL);
    if (s->header_text.len)
        explicit_bzero(s->header_text.data, s->header_text.len); /* signatures and tokens */
    s->transfer = NULL;
    if (t->pool_count >= POOL_MAX) {
        free_state(s);
        return;
    }
    answer_reset(&s->answer, t->settings.max_response);
    list_prepend(&t->pool, &s->link);
    t->pool_count++;
}

/* The texts one behind the other in `header_text`, each with its NUL; false when one would end its line early. */
static bool add_header_texts(struct transfer_state *s, const struct dest_request *r)
{
    buf_reset(&s->header_text);
    buf_add(&s->header_text, "Expect:", sizeof "Expect:");
    for (size_t i = 0; i < r->header_count; i++) {
        const struct dest_header *h = &r->headers[i];
        if (strpbrk(h->name, "\r\n") || strpbrk(h->value, "\r\n"))
            return false;
        buf_add_text(&s->header_text, h->name);
        buf_add_text(&s->header_text, ": ");
        buf_add_text(&s->header_text, h->value);
        buf_add_char(&s->header_text, 0);
    }
    return !s->header_text.overflow;
}

/* curl only reads the list while it sends, so its nodes and texts are ours, and are used again for the next request. */
static bool add_headers(struct transfer_state *s, const struct dest_request *r)
{
    if (!add_header_texts(s, r))
        return false;
    char *text = s->header_text.data;
    for (size_t i = 0; i <= r->header_count; i++) {
        s->headers[i] = (struct curl_slist){text, i < r->header_count ? &s->headers[i + 1] : NULL};
        text += strlen(text) + 1;
    }
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
    return true;
}

static bool set_request(struct transfer_state *s, const struct dest_request *r)
{
    CURL *e = s->easy;
    if (!add_headers(s, r))
        return false;
    if (curl_easy_setopt(e, CURLOPT_URL, r->url) != CURLE_OK)
        return false;
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, r->once ? 1L : 0L);
    if (strcmp(r->method, "GET") == 0) {
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
        return true;
    }
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body ? r->body : "");
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, strcmp(r->method, "POST") == 0 ? NULL : r->method);
    return true;
}

/* True when the request went out, so that what failed is the answer and not the URL. */
static bool was_asked(const struct transfer_state *s)
{
    long request_bytes = 0;
    curl_easy_getinfo(s->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return request_bytes > 0;
}

static enum error_word word_of(CURLcode code, const struct transfer_state *s)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERROR_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return ERROR_DNS;
    case CURLE_COULDNT_CONNECT:
        return ERROR_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_USE_SSL_FAILED:
        return ERROR_TLS;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return ERROR_CONNECTION_LOST;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING:
        return ERROR_BAD_ANSWER;
    case CURLE_URL_MALFORMAT:
        return ERROR_URL;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also what curl says to an answer that is no HTTP, or of another
                                        version */
        return was_asked(s) ? ERROR_BAD_ANSWER : ERROR_URL;
    case CURLE_OUT_OF_MEMORY: /* also what curl says to one line of headers above its own limit of 100 KiB */
        return was_asked(s) ? ERROR_BAD_ANSWER : ERROR_OTHER;
    default:
        return s->answer.headers_too_large ? ERROR_BAD_ANSWER : ERROR_OTHER;
    }
}

/* What a person reads: curl's words, where they are about the request and not about how we stopped it. */
static const char *text_of(const struct transfer_state *s)
{
    if (s->answer.headers_too_large || (s->result == CURLE_OUT_OF_MEMORY && was_asked(s)))
        return "the answer's headers are larger than delivery.max_headers or one of them is endless";
    return *s->error ? s->error : curl_easy_strerror(s->result);
}

static void fill_response(struct transfer_state *s)
{
    struct dest_response *r = &s->transfer->response;
    memset(r, 0, sizeof *r);
    r->received_us = clock_wall_us();
    answer_fill(&s->answer, r);
    if (s->address_refused) {
        r->error = ERROR_ADDRESS_REFUSED;
        r->error_text = s->refused_address;
        return;
    }
    if (s->asked_again) {
        r->sent = true;
        r->error = ERROR_CONNECTION_LOST;
        r->error_text = "the connection was closed before an answer came";
        return;
    }
    /* Cut by us: the status counts all the same. */
    if (s->result != CURLE_OK && !(s->result == CURLE_WRITE_ERROR && s->answer.cut)) {
        r->sent = was_asked(s);
        r->error = word_of(s->result, s);
        r->error_text = text_of(s);
        return;
    }
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &r->status);
    if (r->status < 100 || r->status > 999) { /* curl takes 0 of "HTTP/20.1 503", and 5031 of "HTTP/25031" */
        r->status = 0;
        r->sent = true;
        r->error = ERROR_BAD_ANSWER;
        r->error_text = "the answer has no status that HTTP knows";
        return;
    }
    const char *wait = r->fields[ANSWER_RETRY_AFTER];
    r->retry_after = wait ? http_time_retry_after(wait, strlen(wait), r->received_us) : 0;
}

static void call_done(struct transfers *t, struct transfer_state *s)
{
    struct transfer *transfer = s->transfer;
    fill_response(s);
    transfer->duration_ms = (int)((clock_mono_us() - s->started_us) / 1000);
    transfer->state = NULL;
    transfer->done(transfer);
    give_state(t, s);
}

/* Callbacks run here, outside of curl. */
static void on_finish(evutil_socket_t fd, short what, void *arg)
{
    struct transfers *t = arg;
    struct list *at;
    (void)fd;
    (void)what;
    while ((at = list_shift(&t->finished)))
        call_done(t, list_entry(at, struct transfer_state, link));
}

static void stop_running(struct transfers *t, struct transfer_state *s)
{
    if (!s->running)
        return;
    curl_multi_remove_handle(t->multi, s->easy);
    s->running = false;
    t->active_count--;
}

static void finish(struct transfers *t, struct transfer_state *s, CURLcode result)
{
    s->result = result;
    list_remove(&s->link);
    list_append(&t->finished, &s->link);
    event_active(t->finish, EV_TIMEOUT, 1);
}

static void collect(struct transfers *t)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(t->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct transfer_state *s = NULL;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s);
        stop_running(t, s);
        finish(t, s, result);
    }
}

struct transfers *transfers_new(struct event_base *base, const struct transfer_settings *settings)
{
    struct transfers *t = mem_zalloc(sizeof *t);
    t->base = base;
    t->settings = *settings;
    list_init(&t->active);
    list_init(&t->finished);
    list_init(&t->pool);
    t->multi = curl_multi_init();
    mem_check(t->multi != NULL);
    t->timer = event_new(base, -1, 0, on_timer, t);
    t->finish = event_new(base, -1, 0, on_finish, t);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, settings->idle_connections);
    return t;
}

static void free_list(struct transfers *t, struct list *states)
{
    struct list *at, *next;
    list_for_each_safe (at, next, states) {
        struct transfer_state *s = list_entry(at, struct transfer_state, link);
        stop_running(t, s);
        free_state(s);
    }
    list_init(states);
}

void transfers_free(struct transfers *t)
{
    if (!t)
        return;
    free_list(t, &t->active);
    free_list(t, &t->finished);
    free_list(t, &t->pool);
    curl_multi_cleanup(t->multi);
    for (size_t i = 0; i < t->watched_room; i++)
        unwatch(&t->watched[i]);
    free(t->watched);
    event_free(t->timer);
    event_free(t->finish);
    free(t);
}

void transfers_start(struct transfers *t, struct transfer *transfer)
{
    struct transfer_state *s = take_state(t);
    s->transfer = transfer;
    transfer->state = s;
    answer_reset(&s->answer, transfer->request.answer_max > t->settings.max_response
                                 ? transfer->request.answer_max
                                 : t->settings.max_response);
    s->address_refused = s->asked = s->asked_again = false;
    s->error[0] = 0;
    s->started_us = clock_mono_us();
    list_append(&t->active, &s->link);
    if (!set_request(s, &transfer->request)) {
        finish(t, s, CURLE_URL_MALFORMAT);
        return;
    }
    t->active_count++;
    s->running = true;
    check(curl_multi_add_handle(t->multi, s->easy) == CURLM_OK);
}

void transfers_cancel(struct transfers *t, struct transfer *transfer)
{
    struct transfer_state *s = transfer->state;
    if (!s)
        return;
    transfer->state = NULL;
    stop_running(t, s);
    list_remove(&s->link);
    give_state(t, s);
}

size_t transfers_active(const struct transfers *t)
{
    return t->active_count;
}
