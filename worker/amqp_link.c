/*
 * amqp_link - one broker connection on the loop
 *
 * Owns a socket, the library's connection state and three timers (heartbeat, redial, and the dial's own).
 * States: down -> dialing -> up -> down. amqp_link_fail is the one way back to down; it removes the event
 * before the library's state is destroyed, because the library closes its descriptor by itself and the next
 * socket with that number would never be reported. Inside the drain loop destruction waits for its end.
 *
 * librabbitmq has no asynchronous API. What blocks, and for how long at most: the handshake of TLS
 * (link_socket.c), login and each RPC RPC_SECONDS (the library closes the socket then); a publish, ack or nack not at all,
 * because it is only sent when amqp_link_has_room says that the kernel takes all of it at once; the library's heartbeats
 * neither, because that leaves room for them. A server that let us in and was silent in the handshake would cost that at every
 * dial: from then on it is asked first whether it speaks at all (link_probe), by all links of the process, until one of them
 * is up. Only one channel carries messages; the scratch channel is for declarations that
 * may fail, since a failure closes its channel.
 */
#include "worker/amqp_link.h"

#include <amqp_framing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/broker_nodes.h"
#include "worker/link_probe.h"
#include "worker/link_socket.h"
#include "worker/send_room.h"
#include "worker/shared.h"

enum { RPC_SECONDS = 3, SLOW_US = 1000000, CONNECT_SECONDS = 5, DRAIN_BUDGET = 256, CLOSE_BYTES = 64 };

enum link_state { LINK_DOWN, LINK_DIALING, LINK_UP };

struct amqp_link {
    struct event_base *base;
    struct dialer *dialer;
    const struct conf *conf;
    const char *name;
    const struct amqp_link_calls *calls;
    void *owner;
    struct broker_nodes nodes;
    size_t at; /* which of them is dialed next, or connected */
    enum link_state state;
    struct dial *dial;
    struct link_probe *probe;
    bool probed; /* what is dialed next has just answered */
    amqp_connection_state_t connection;
    struct link_socket socket; /* TLS, or none */
    struct event *readable;
    struct event *pulse;
    struct event *redial;
    uint64_t epoch;
    int failures;
    int64_t heard_us;
    bool draining;
    bool doomed; /* failed inside the drain loop */
};

static bool suspicious; /* a server has kept this process waiting in the handshake */

static void dial(struct amqp_link *link);

static const struct broker_node *node_of(const struct amqp_link *l)
{
    return &l->nodes.items[l->at];
}

static void on_redial(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    dial(arg);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    amqp_link_drain(arg);
}

/*
 * Heartbeats are sent only inside calls of the library. It also checks them there, but later than two of them, which is
 * the time that docs/guarantees.md promises; the broker sends one each half time.
 */
static void on_pulse(evutil_socket_t fd, short what, void *arg)
{
    struct amqp_link *l = arg;
    (void)fd;
    (void)what;
    amqp_link_drain(l);
    if (amqp_link_is_up(l) && !amqp_link_is_lively(l))
        amqp_link_fail(l, "no heartbeat from the broker");
}

static unsigned chance(void)
{
    unsigned number = 0;
    check(getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number);
    return number;
}

struct amqp_link *amqp_link_new(struct event_base *base, struct dialer *dialer, const struct conf *conf,
                                const char *name, const struct amqp_link_calls *calls, void *owner)
{
    struct amqp_link *l = mem_zalloc(sizeof *l);
    l->base = base;
    l->dialer = dialer;
    l->conf = conf;
    l->name = name;
    l->calls = calls;
    l->owner = owner;
    check(broker_nodes_read(&l->nodes, conf));
    l->at = chance() % l->nodes.count; /* so that a pool's connections are spread over all */
    l->redial = event_new(base, -1, 0, on_redial, l);
    l->pulse = event_new(base, -1, EV_PERSIST, on_pulse, l);
    return l;
}

/*
 * Seconds before the next dial: 0.25 until each node has been tried, then 2, 4, 8 … up to the maximum, one more for
 * each round; plus up to a quarter by chance.
 */
static double pause_before_dial(const struct amqp_link *l)
{
    int round = (l->failures - 1) / (int)l->nodes.count;
    double pause = round == 0 ? 0.25 : round >= 10 ? 1024 : (double)(1u << round);
    if (pause > l->conf->broker_reconnect_max)
        pause = l->conf->broker_reconnect_max;
    return pause * (1 + 0.25 * ((double)chance() / 4294967296.0));
}

static void destroy_connection(struct amqp_link *l)
{
    if (l->readable) {
        event_free(l->readable); /* before the descriptor can be closed */
        l->readable = NULL;
    }
    if (l->connection) {
        amqp_destroy_connection(l->connection);
        l->connection = NULL;
    }
}

static void schedule_dial(struct amqp_link *l)
{
    l->failures++;
    l->at = (l->at + 1) % l->nodes.count;
    double pause = pause_before_dial(l);
    struct timeval tv = clock_timeval(pause);
    event_add(l->redial, &tv);
}

static void go_down(struct amqp_link *l)
{
    bool was_up = l->state == LINK_UP;
    l->state = LINK_DOWN;
    l->doomed = false;
    destroy_connection(l);
    schedule_dial(l);
    if (was_up) {
        shared_mine()->broker_links--;
        shared_count_cell(COUNT_LOST, SERVER_BROKER);
        l->calls->down(l->owner, l);
    }
}

void amqp_link_fail(struct amqp_link *l, const char *reason)
{
    if (l->state == LINK_DOWN || l->doomed)
        return;
    LOG(LOG_WARN, "broker_link_down", LOG_TEXT("link", l->name), LOG_TEXT("host", node_of(l)->host),
        LOG_NUM("port", node_of(l)->port), LOG_TEXT("reason", reason), LOG_NUM("failures", l->failures));
    event_del(l->pulse);
    if (l->readable)
        event_del(l->readable);
    if (l->dial) {
        dial_cancel(l->dial);
        l->dial = NULL;
    }
    link_probe_cancel(l->probe);
    l->probe = NULL;
    l->probed = false;
    if (l->draining)
        l->doomed = true;
    else
        go_down(l);
}

/* The words of a failed RPC or of a close frame. */
static void describe(const struct amqp_link *l, const amqp_rpc_reply_t *r, char *out, size_t size, int *code)
{
    *code = 0;
    if (r->reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        link_socket_describe(&l->socket, l->connection, l->conf, r->library_error, out, size);
        return;
    }
    if (r->reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) {
        snprintf(out, size, "no reply");
        return;
    }
    amqp_bytes_t text = amqp_empty_bytes;
    if (r->reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *m = r->reply.decoded;
        *code = m->reply_code;
        text = m->reply_text;
    } else if (r->reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *m = r->reply.decoded;
        *code = m->reply_code;
        text = m->reply_text;
    }
    snprintf(out, size, "%d %.*s", *code, (int)(text.len > 200 ? 200 : text.len), (const char *)text.bytes);
}

bool amqp_link_replied(struct amqp_link *l, amqp_channel_t channel, const char *what, int *code)
{
    char words[LINK_SOCKET_WORDS], reason[LINK_SOCKET_WORDS + 64];
    int broker_code;
    shared_alive();
    if (code)
        *code = 0;
    if (l->state == LINK_DOWN || l->doomed)
        return false;
    amqp_rpc_reply_t r = amqp_get_rpc_reply(l->connection);
    if (r.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    describe(l, &r, words, sizeof words, &broker_code);
    if (code)
        *code = broker_code;
    if (channel == AMQP_LINK_SCRATCH_CHANNEL && r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        r.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        amqp_channel_close_ok_t ok = {0};
        amqp_send_method(l->connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        return false;
    }
    snprintf(reason, sizeof reason, "%s: %s", what, words);
    amqp_link_fail(l, reason);
    return false;
}

bool amqp_link_sent(struct amqp_link *l, int status, const char *what)
{
    if (status == AMQP_STATUS_OK)
        return true;
    char words[LINK_SOCKET_WORDS], reason[LINK_SOCKET_WORDS + 64];
    link_socket_describe(&l->socket, l->connection, l->conf, status, words, sizeof words);
    snprintf(reason, sizeof reason, "%s: %s", what, words);
    amqp_link_fail(l, reason);
    return false;
}

/*
 * The headers of a message travel in one frame, however large. RabbitMQ takes such a frame eight bytes larger than
 * agreed, makes it longer when the message has been dead-lettered or comes again, and hands on what a client with
 * another agreement sent. The library gives up its connection at a frame larger than agreed, and the next connection
 * would get the same message first, for ever. So it is told afterwards that larger ones were agreed; ours stay far
 * below.
 */
static void take_larger_frames(struct amqp_link *l)
{
    check(amqp_tune_connection(l->connection, amqp_get_channel_max(l->connection), AMQP_LINK_FRAME_TAKEN,
                               amqp_get_heartbeat(l->connection)) == AMQP_STATUS_OK);
}

/* amqp_login's three round trips and channel.open: each bounded by RPC_SECONDS. */
static bool log_in(struct amqp_link *l)
{
    struct timeval limit = {RPC_SECONDS, 0};
    amqp_table_entry_t can[] = {
        {amqp_cstring_bytes("connection.blocked"), {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}},
        {amqp_cstring_bytes("consumer_cancel_notify"), {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}},
        {amqp_cstring_bytes("authentication_failure_close"), {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}},
    };
    amqp_table_t capabilities = {3, can};
    amqp_table_entry_t says[] = {
        {amqp_cstring_bytes("product"),
         {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes("pencheff-notify")}}},
        {amqp_cstring_bytes("connection_name"),
         {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(l->name)}}},
        {amqp_cstring_bytes("capabilities"), {AMQP_FIELD_KIND_TABLE, {.table = capabilities}}},
    };
    amqp_table_t properties = {3, says};
    amqp_set_handshake_timeout(l->connection, &limit);
    amqp_set_rpc_timeout(l->connection, &limit);
    amqp_rpc_reply_t r = amqp_login_with_properties(
        l->connection, l->nodes.login.vhost, 16, AMQP_LINK_FRAME_MAX, (int)l->conf->broker_heartbeat,
        &properties, AMQP_SASL_METHOD_PLAIN, l->nodes.login.user, l->nodes.login.password);
    shared_alive();
    if (r.reply_type != AMQP_RESPONSE_NORMAL) {
        char words[LINK_SOCKET_WORDS], reason[LINK_SOCKET_WORDS + 640];
        int code;
        describe(l, &r, words, sizeof words, &code);
        snprintf(reason, sizeof reason, "login as %s to vhost %s: %s", l->nodes.login.user,
                 l->nodes.login.vhost, words);
        amqp_link_fail(l, reason);
        return false;
    }
    shared_mine()->broker_us = clock_mono_us();
    take_larger_frames(l);
    amqp_channel_open(l->connection, AMQP_LINK_CHANNEL);
    return amqp_link_replied(l, AMQP_LINK_CHANNEL, "channel.open", NULL);
}

static void on_probed(void *owner, bool answers)
{
    struct amqp_link *l = owner;
    l->probe = NULL;
    l->probed = answers;
    if (!answers) {
        amqp_link_fail(l, "it takes connections and does not answer");
        return;
    }
    l->state = LINK_DOWN;
    dial(l);
}

/* TLS and login, which block. False: the link has failed. */
static bool open_and_log_in(struct amqp_link *l, int fd)
{
    char unopened[LINK_SOCKET_WORDS];
    l->connection = amqp_new_connection();
    mem_check(l->connection != NULL);
    bool opened = link_socket_open(&l->socket, l->connection, l->conf, l->nodes.tls ? node_of(l)->host : NULL,
                                   fd, RPC_SECONDS, unopened);
    shared_alive();
    if (!opened) {
        amqp_link_fail(l, unopened);
        return false;
    }
    send_room_fix(amqp_get_sockfd(l->connection));
    return log_in(l);
}

static void on_dialed(void *owner, int fd, const char *why)
{
    struct amqp_link *l = owner;
    int64_t began_us = clock_mono_us();
    l->dial = NULL;
    if (fd < 0) {
        amqp_link_fail(l, why);
        return;
    }
    if (suspicious && !l->probed) {
        l->probe =
            link_probe_start(l->base, fd, l->nodes.tls ? node_of(l)->host : NULL, RPC_SECONDS, on_probed, l);
        return;
    }
    l->probed = false;
    bool good = open_and_log_in(l, fd);
    suspicious = !good && (suspicious || clock_mono_us() - began_us > SLOW_US);
    if (!good)
        return;
    fd = amqp_get_sockfd(l->connection);
    l->epoch++;
    l->state = LINK_UP;
    shared_mine()->broker_links++;
    l->heard_us = clock_mono_us();
    l->readable = event_new(l->base, fd, EV_READ | EV_PERSIST, on_readable, l);
    if (event_add(l->readable, NULL) != 0) {
        amqp_link_fail(l, "the kernel watches no more sockets");
        return;
    }
    struct timeval half = {(int)l->conf->broker_heartbeat / 2, (int)l->conf->broker_heartbeat % 2 * 500000};
    event_add(l->pulse, &half);
    LOG(LOG_INFO, "broker_link_up", LOG_TEXT("link", l->name), LOG_TEXT("host", node_of(l)->host),
        LOG_NUM("port", node_of(l)->port), LOG_NUM("epoch", l->epoch),
        LOG_TEXT("tls", l->nodes.tls ? l->socket.peer.version : "none"));
    link_socket_warn(&l->socket, l->conf, l->name, node_of(l)->host);
    if (!l->calls->up(l->owner, l)) {
        amqp_link_fail(l, "what is needed could not be declared");
        return;
    }
    l->failures = 0;
    shared_count_cell(COUNT_CONNECTED, SERVER_BROKER);
    amqp_link_drain(l); /* what arrived during the RPCs lies in the library */
}

static void dial(struct amqp_link *l)
{
    if (l->state != LINK_DOWN)
        return;
    l->state = LINK_DIALING;
    l->dial = dial_start(l->dialer, node_of(l)->host, node_of(l)->port, CONNECT_SECONDS, on_dialed, l);
}

void amqp_link_start(struct amqp_link *l)
{
    dial(l);
}

void amqp_link_free(struct amqp_link *l)
{
    if (!l)
        return;
    if (l->dial)
        dial_cancel(l->dial);
    link_probe_cancel(l->probe);
    if (l->connection && l->state == LINK_UP && amqp_link_has_room(l, CLOSE_BYTES))
        link_socket_close(&l->socket, l->connection);
    destroy_connection(l);
    event_free(l->redial);
    event_free(l->pulse);
    broker_nodes_free(&l->nodes);
    free(l);
}

bool amqp_link_is_up(const struct amqp_link *l)
{
    return l->state == LINK_UP && !l->doomed;
}

uint64_t amqp_link_epoch(const struct amqp_link *l)
{
    return l->epoch;
}

amqp_connection_state_t amqp_link_connection(struct amqp_link *l)
{
    check(l->connection != NULL);
    return l->connection;
}

bool amqp_link_is_lively(const struct amqp_link *l)
{
    return clock_mono_us() - l->heard_us < (int64_t)l->conf->broker_heartbeat * 1500000;
}

bool amqp_link_has_room(const struct amqp_link *l, size_t bytes)
{
    return send_room_for(amqp_get_sockfd(l->connection), l->nodes.tls ? broker_tls_size(bytes) : bytes);
}

static void on_close_frame(struct amqp_link *l, const amqp_frame_t *f)
{
    char words[LINK_SOCKET_WORDS], reason[LINK_SOCKET_WORDS + 64];
    int code;
    amqp_rpc_reply_t r = {.reply_type = AMQP_RESPONSE_SERVER_EXCEPTION, .reply = f->payload.method};
    describe(l, &r, words, sizeof words, &code);
    snprintf(reason, sizeof reason, "closed by the broker: %s", words);
    amqp_link_fail(l, reason);
}

static void take_frame(struct amqp_link *l, const amqp_frame_t *f)
{
    if (f->frame_type == AMQP_FRAME_HEARTBEAT)
        return;
    if (f->frame_type == AMQP_FRAME_METHOD) {
        switch (f->payload.method.id) {
        case AMQP_CONNECTION_CLOSE_METHOD:
        case AMQP_CHANNEL_CLOSE_METHOD:
            on_close_frame(l, f);
            return;
        case AMQP_CONNECTION_BLOCKED_METHOD:
        case AMQP_CONNECTION_UNBLOCKED_METHOD:
            if (l->calls->blocked)
                l->calls->blocked(l->owner, l, f->payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD);
            return;
        default:
            break;
        }
    }
    if (f->channel == AMQP_LINK_CHANNEL)
        l->calls->frame(l->owner, l, f);
}

/* Any byte is a sign of life. The library swallows most heartbeats, so frames alone do not tell. */
static void listen_for_life(struct amqp_link *l)
{
    char byte;
    if (recv(amqp_get_sockfd(l->connection), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        l->heard_us = clock_mono_us();
}

void amqp_link_drain(struct amqp_link *l)
{
    struct timeval now = {0, 0};
    if (!amqp_link_is_up(l) || l->draining)
        return;
    listen_for_life(l);
    l->draining = true;
    int budget = DRAIN_BUDGET;
    while (budget > 0 && !l->doomed) {
        amqp_frame_t frame;
        int status = amqp_simple_wait_frame_noblock(l->connection, &frame, &now);
        if (status == AMQP_STATUS_TIMEOUT)
            break;
        if (status != AMQP_STATUS_OK) {
            char words[LINK_SOCKET_WORDS];
            link_socket_describe(&l->socket, l->connection, l->conf, status, words, sizeof words);
            amqp_link_fail(l, words);
            break;
        }
        l->heard_us = clock_mono_us();
        budget--;
        take_frame(l, &frame);
        amqp_maybe_release_buffers_on_channel(l->connection, frame.channel);
    }
    l->draining = false;
    if (l->doomed)
        go_down(l);
    else if (budget == 0)
        event_active(l->readable, EV_READ, 1); /* more may lie in the library, unseen by epoll */
}
