/*
 * presence_topology - declares what Celery's remote control and events need
 *
 * Owns nothing. Names, types and flags are those that Celery's clients declare themselves; another flag would break them, or us.
 * All of it is tried on the scratch channel, rights included, so that a refusal closes nothing else: the exchange for
 * requests (fanout, transient), that for replies (direct, transient), that for events (topic, durable), and our own
 * queue, which is exclusive, so that a second pool with our name is refused instead of taking half of our requests. Each
 * answer is bounded by the RPC timeout, as all declarations are.
 */
#include <amqp.h>
#include <amqp_framing.h>

#include "worker/presence_parts.h"

enum { EXPIRES_MS = 10000, MESSAGE_TTL_MS = 300000, LOCKED = 405 };

#define NOBODYS_KEY "notifyd asks: a key that nobody binds"
#define TAG         "notify-presence"

struct step {
    const char *what;
    amqp_method_number_t id, answer;
    void *method;
};

/* 0, the code of a refusal, which has closed the scratch channel, or -1. */
static int ask(struct presence *p, amqp_channel_t channel, const struct step *s)
{
    int code = 0;
    if (!amqp_link_is_up(p->link))
        return -1;
    amqp_simple_rpc_decoded(amqp_link_connection(p->link), channel, s->id, s->answer, s->method);
    if (amqp_link_replied(p->link, channel, s->what, &code))
        return 0;
    return amqp_link_is_up(p->link) && code ? code : -1;
}

static amqp_exchange_declare_t exchange(const char *name, const char *type, bool durable)
{
    return (amqp_exchange_declare_t){
        .exchange = amqp_cstring_bytes(name), .type = amqp_cstring_bytes(type), .durable = durable};
}

/* Removing a binding that is not there needs to write to the one and to read the other, as publishing and binding do. */
static amqp_exchange_unbind_t may_publish(const char *name, const char *other)
{
    return (amqp_exchange_unbind_t){.destination = amqp_cstring_bytes(name),
                                    .source = amqp_cstring_bytes(other),
                                    .routing_key = amqp_cstring_bytes(NOBODYS_KEY)};
}

/*
 * Whose is the queue that we were not given? A pool's is exclusive, so that nobody else may even look at it; that of a worker
 * of Celery's is not. 405, PRESENCE_NATIVE or -1.
 */
static int whose_queue(struct presence *p)
{
    amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS, .reply_text = amqp_empty_bytes};
    amqp_queue_declare_t look = {.queue = amqp_cstring_bytes(p->queue), .passive = 1};
    const struct step steps[] = {
        {"channel.open", AMQP_CHANNEL_OPEN_METHOD, AMQP_CHANNEL_OPEN_OK_METHOD, &open},
        {p->queue, AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, &look},
        {"channel.close", AMQP_CHANNEL_CLOSE_METHOD, AMQP_CHANNEL_CLOSE_OK_METHOD, &close},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int code = ask(p, AMQP_LINK_SCRATCH_CHANNEL, &steps[i]);
        if (code)
            return code < 0 ? -1 : LOCKED;
    }
    return PRESENCE_NATIVE;
}

int presence_declare(struct presence *p, const char **what)
{
    amqp_table_entry_t limits[] = {
        {amqp_cstring_bytes("x-expires"), {AMQP_FIELD_KIND_I32, {.i32 = EXPIRES_MS}}},
        {amqp_cstring_bytes("x-message-ttl"), {AMQP_FIELD_KIND_I32, {.i32 = MESSAGE_TTL_MS}}},
    };
    amqp_bytes_t queue = amqp_cstring_bytes(p->queue), control = amqp_cstring_bytes(p->control);
    amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS, .reply_text = amqp_empty_bytes};
    amqp_exchange_declare_t requests = exchange(p->control, "fanout", false),
                            replies = exchange(p->reply, "direct", false),
                            events = exchange(p->conf->celery_event_exchange, "topic", true);
    amqp_exchange_unbind_t to_replies = may_publish(p->reply, p->control),
                           to_events = may_publish(p->conf->celery_event_exchange, p->control);
    amqp_queue_declare_t mine = {.queue = queue, .exclusive = 1, .auto_delete = 1, .arguments = {2, limits}};
    amqp_queue_bind_t bind = {.queue = queue, .exchange = control};
    amqp_basic_consume_t consume = {.queue = queue, .consumer_tag = amqp_cstring_bytes(TAG), .no_ack = 1};
    const struct step steps[] = {
        {"channel.open", AMQP_CHANNEL_OPEN_METHOD, AMQP_CHANNEL_OPEN_OK_METHOD, &open},
        {p->control, AMQP_EXCHANGE_DECLARE_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD, &requests},
        {p->reply, AMQP_EXCHANGE_DECLARE_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD, &replies},
        {p->conf->celery_event_exchange, AMQP_EXCHANGE_DECLARE_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD,
         &events},
        {p->reply, AMQP_EXCHANGE_UNBIND_METHOD, AMQP_EXCHANGE_UNBIND_OK_METHOD, &to_replies},
        {p->conf->celery_event_exchange, AMQP_EXCHANGE_UNBIND_METHOD, AMQP_EXCHANGE_UNBIND_OK_METHOD,
         &to_events},
        {p->queue, AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, &mine},
        {p->queue, AMQP_QUEUE_BIND_METHOD, AMQP_QUEUE_BIND_OK_METHOD, &bind},
        {p->queue, AMQP_BASIC_CONSUME_METHOD, AMQP_BASIC_CONSUME_OK_METHOD, &consume},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int code = ask(p, AMQP_LINK_SCRATCH_CHANNEL, &steps[i]);
        *what = steps[i].what;
        if (code)
            return code == LOCKED ? whose_queue(p) : code;
    }
    /* Now for good; only then may the first consumer go, since with the last one the queue goes, too. */
    const struct step again = steps[sizeof steps / sizeof steps[0] - 1];
    if (ask(p, AMQP_LINK_CHANNEL, &again) != 0)
        return -1;
    const struct step end = {"channel.close", AMQP_CHANNEL_CLOSE_METHOD, AMQP_CHANNEL_CLOSE_OK_METHOD,
                             &close};
    return ask(p, AMQP_LINK_SCRATCH_CHANNEL, &end);
}

void presence_declare_reply(struct presence *p)
{
    amqp_exchange_declare_t method = exchange(p->reply, "direct", false);
    method.nowait = 1;
    amqp_link_sent(p->link,
                   amqp_send_method(amqp_link_connection(p->link), AMQP_LINK_CHANNEL,
                                    AMQP_EXCHANGE_DECLARE_METHOD, &method),
                   "exchange.declare");
}
