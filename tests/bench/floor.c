/*
 * floor - what the libraries alone cost
 *
 * The least that a worker could do with librabbitmq, libcurl's multi interface and libevent: consume, post a body of
 * constant size on kept-alive connections, acknowledge when the answer has come. It understands nothing: the body is a
 * constant but for the moment of publishing (sent.h), which is copied out of the message so that the same
 * receiver can measure how long it took. No database, no rules, no signatures, no retries: an answer other
 * than 200 ends it.
 *
 * Environment: AMQP_URL, BENCH_QUEUE, BENCH_PREFETCH, BENCH_WORKERS, and its own BENCH_URL (where to) and BENCH_BODY
 * (bytes). Forks its workers, writes "ready" when all of them consume, ends on SIGTERM.
 */
#include <curl/curl.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "tests/bench/broker.h"
#include "tests/bench/sent.h"

enum {
    DRAIN_BUDGET = 256,
    MESSAGE_MAX = 65536,
    BODY_MIN = 128,
    BODY_MAX = 1 << 20,
    WORKERS_MAX = 64,
    PREFETCH_MAX = 65535
};

/* One message and its request. */
struct job {
    struct list link;
    uint64_t tag;
    CURL *easy;
    char *body;
    char *sent; /* in the body: the digits of the moment of publishing */
};

static struct {
    const char *url;
    const char *queue;
    long workers, prefetch, body_size;
} settings;

static struct event_base *base;
static struct event *readable, *timer;
static amqp_connection_state_t broker;
static CURLM *multi;
static struct curl_slist *headers;
static struct list idle = LIST_HEAD_INIT(idle);
static char message[MESSAGE_MAX];
static size_t message_size, message_have;
static uint64_t message_tag;

_Noreturn static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

static size_t drop_answer(char *bytes, size_t one, size_t n, void *arg)
{
    (void)bytes;
    (void)arg;
    return one * n;
}

/* {"change_summary":"recheck queued, sent …","pad":"xxx…"}, `body_size` bytes of it. */
static void make_body(struct job *j)
{
    static const char head[] = "{\"change_summary\":\"" SENT_MARK;
    static const char tail[] = "00000000000000000000\",\"pad\":\"";
    size_t size = (size_t)settings.body_size;
    j->body = mem_alloc(size);
    memset(j->body, 'x', size);
    memcpy(j->body, head, sizeof head - 1);
    j->sent = j->body + sizeof head - 1;
    memcpy(j->sent, tail, sizeof tail - 1);
    memcpy(j->body + size - 2, "\"}", 2);
}

static struct job *job_new(void)
{
    struct job *j = mem_zalloc(sizeof *j);
    list_init(&j->link);
    make_body(j);
    j->easy = curl_easy_init();
    check(j->easy != NULL);
    curl_easy_setopt(j->easy, CURLOPT_PRIVATE, j);
    curl_easy_setopt(j->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(j->easy, CURLOPT_URL, settings.url);
    curl_easy_setopt(j->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(j->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(j->easy, CURLOPT_POSTFIELDS, j->body);
    curl_easy_setopt(j->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)settings.body_size);
    curl_easy_setopt(j->easy, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(j->easy, CURLOPT_WRITEFUNCTION, drop_answer);
    return j;
}

static void start_job(uint64_t tag)
{
    struct list *at = list_shift(&idle);
    struct job *j = at ? list_entry(at, struct job, link) : job_new();
    const char *sent = sent_find(message, message_size);
    j->tag = tag;
    if (sent)
        memcpy(j->sent, sent, SENT_DIGITS);
    check(curl_multi_add_handle(multi, j->easy) == CURLM_OK);
}

static void end_job(struct job *j, CURLcode result)
{
    long status = 0;
    curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status != 200)
        give_up("an answer is not 200", curl_easy_strerror(result));
    curl_multi_remove_handle(multi, j->easy);
    broker_must_send(amqp_basic_ack(broker, BROKER_CHANNEL, j->tag, 0), "ack");
    list_prepend(&idle, &j->link);
}

/* --- curl on the loop */

static void kick(curl_socket_t fd, int what)
{
    int running, left;
    const CURLMsg *m;
    check(curl_multi_socket_action(multi, fd, what, &running) == CURLM_OK);
    while ((m = curl_multi_info_read(multi, &left))) {
        struct job *j = NULL;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&j);
        end_job(j, result);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    (void)arg;
    kick(fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    kick(CURL_SOCKET_TIMEOUT, 0);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct event *e = socket_arg;
    (void)easy;
    (void)arg;
    if (e)
        event_free(e);
    e = NULL;
    if (what != CURL_POLL_REMOVE) {
        short events = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
        e = event_new(base, fd, (short)(events | EV_PERSIST), on_socket, NULL);
        event_add(e, NULL);
    }
    curl_multi_assign(multi, fd, e);
    return 0;
}

static int set_timer(CURLM *m, long ms, void *arg)
{
    (void)m;
    (void)arg;
    if (ms < 0)
        event_del(timer);
    else
        event_add(timer, &(struct timeval){ms / 1000, ms % 1000 * 1000});
    return 0;
}

/* --- the broker on the loop */

static void take_method(const amqp_frame_t *frame)
{
    broker_refuse_close(frame);
    if (frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD)
        return;
    const amqp_basic_deliver_t *m = frame->payload.method.decoded;
    message_tag = m->delivery_tag;
    message_have = 0;
}

static void take_body(amqp_bytes_t part)
{
    memcpy(message + message_have, part.bytes, part.len);
    message_have += part.len;
    if (message_have == message_size)
        start_job(message_tag);
}

static void take_frame(const amqp_frame_t *frame)
{
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        take_method(frame);
        break;
    case AMQP_FRAME_HEADER:
        message_size = (size_t)frame->payload.properties.body_size;
        if (message_size == 0 || message_size > sizeof message)
            give_up("a message", "empty or too large");
        break;
    case AMQP_FRAME_BODY:
        if (frame->payload.body_fragment.len > message_size - message_have)
            give_up("a message", "longer than announced");
        take_body(frame->payload.body_fragment);
        break;
    default:
        break;
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct timeval now = {0, 0};
    (void)fd;
    (void)what;
    (void)arg;
    for (int budget = DRAIN_BUDGET; budget > 0; budget--) {
        amqp_frame_t frame;
        int status = amqp_simple_wait_frame_noblock(broker, &frame, &now);
        if (status == AMQP_STATUS_TIMEOUT)
            return;
        broker_must_send(status, "read");
        take_frame(&frame);
        amqp_maybe_release_buffers_on_channel(broker, BROKER_CHANNEL);
    }
    event_active(readable, EV_READ, 1); /* more may lie in the library */
}

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
    event_base_loopbreak(base);
}

/* --- processes */

static void set_up_curl(void)
{
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    multi = curl_multi_init();
    headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
    check(multi != NULL && headers != NULL);
    timer = evtimer_new(base, on_timer, NULL);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, settings.prefetch);
}

static void consume(void)
{
    broker = broker_open(getenv("AMQP_URL"));
    amqp_basic_qos(broker, BROKER_CHANNEL, 0, (uint16_t)settings.prefetch, 0);
    broker_must(broker, "basic.qos");
    amqp_basic_consume(broker, BROKER_CHANNEL, amqp_cstring_bytes(settings.queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    broker_must(broker, "basic.consume");
    readable = event_new(base, amqp_get_sockfd(broker), EV_READ | EV_PERSIST, on_readable, NULL);
    event_add(readable, NULL);
    event_active(readable, EV_READ, 1); /* what came with the last reply lies in the library */
}

_Noreturn static void work(int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    base = event_base_new();
    check(base != NULL);
    struct event *stop = evsignal_new(base, SIGTERM, on_stop, NULL);
    event_add(stop, NULL);
    set_up_curl();
    consume();
    check(write(ready, "r", 1) == 1);
    close(ready);
    event_base_dispatch(base);
    _exit(0); /* what was not acknowledged goes back to the queue when the socket closes */
}

static long number_from(const char *name, long preset, long min, long max)
{
    const char *text = getenv(name);
    char *end = NULL;
    long value = text ? strtol(text, &end, 10) : preset;
    if (value < min || value > max || (text && (end == text || *end)))
        give_up(name, "out of range");
    return value;
}

static void read_settings(void)
{
    settings.url = getenv("BENCH_URL");
    settings.queue = getenv("BENCH_QUEUE") ? getenv("BENCH_QUEUE") : "notify";
    settings.workers = number_from("BENCH_WORKERS", 2, 1, WORKERS_MAX);
    settings.prefetch = number_from("BENCH_PREFETCH", 256, 1, PREFETCH_MAX);
    settings.body_size = number_from("BENCH_BODY", 1024, BODY_MIN, BODY_MAX);
    if (!settings.url || !getenv("AMQP_URL"))
        give_up("BENCH_URL, AMQP_URL", "not set");
}

/* Waits for SIGTERM or the end of a worker, then ends all of them; 0 when that was asked for. */
static int stand_by(const sigset_t *awaited, const pid_t *workers)
{
    int number = 0;
    check(sigwait(awaited, &number) == 0);
    for (long i = 0; i < settings.workers; i++)
        kill(workers[i], SIGTERM); /* one that has ended is not reaped yet, so its number is not another's */
    while (wait(NULL) > 0)
        ;
    return number == SIGTERM ? 0 : 1;
}

int main(void)
{
    int ready[2];
    char byte;
    pid_t workers[WORKERS_MAX];
    sigset_t awaited, before;
    read_settings();
    check(pipe(ready) == 0);
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &awaited, &before);
    for (long i = 0; i < settings.workers; i++) {
        workers[i] = fork();
        check(workers[i] >= 0);
        if (workers[i] == 0) {
            sigprocmask(SIG_SETMASK, &before, NULL);
            close(ready[0]);
            work(ready[1]);
        }
    }
    close(ready[1]);
    for (long i = 0; i < settings.workers; i++)
        if (read(ready[0], &byte, 1) != 1)
            return stand_by(&awaited, workers); /* the end of the file: a worker has said why */
    puts("ready");
    fflush(stdout);
    return stand_by(&awaited, workers);
}
