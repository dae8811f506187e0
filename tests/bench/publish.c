/*
 * publish - fills a queue, or publishes at a steady rate, as Celery would
 *
 * Publishes COUNT copies of one of Celery's messages (stencil.h), each with an id of its own, a scan and a finding from
 * EVENTS, and the moment of its sending. Every message is confirmed by the broker before the program ends with
 * status 0; it then says on standard output, as JSON, how many there were and how long it took. With RATE each
 * message has its moment, RATE a second from the start; what comes late is sent at once and its lateness counted,
 * so that a reader can tell a late publisher from a slow consumer. SIGTERM: no more messages, the rest as above.
 *
 * EVENTS: a line for each, "SCAN FINDING [WEIGHT]". They are taken in turn, one with weight n n times per round; with
 * --shuffle in an order that is drawn once.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>

#include "common/base/check.h"
#include "tests/bench/broker.h"
#include "tests/bench/histogram.h"
#include "tests/bench/sent.h"
#include "tests/bench/stencil.h"

enum { WINDOW = 4096, LOOK_EVERY = 64, ROUND_MAX = 1 << 20, JSON_MAX = 4096 };

struct event {
    char scan[STENCIL_UUID + 1];
    char finding[STENCIL_UUID + 1];
};

/* What to publish, one after the other, again and again. */
struct round {
    struct event *events;
    size_t count;
};

/* What the broker has not confirmed yet: tags from `low` to `sent`, those confirmed out of turn marked. */
struct confirms {
    uint64_t sent;
    uint64_t low;
    bool done[WINDOW];
};

struct options {
    const char *queue, *properties, *body, *events;
    uint64_t count;
    double rate; /* messages a second; 0: as fast as possible */
    bool shuffle;
};

static volatile sig_atomic_t stopped;
static uint64_t random_state;

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

_Noreturn static void refuse(const char *what)
{
    fprintf(stderr, "publish: %s\n", what);
    exit(2);
}

/* splitmix64: quick, and good enough for ids that must differ and an order that must have no pattern. */
static uint64_t next_random(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* A random UUID in canonical form (RFC 9562, version 4), as Celery makes its task ids. */
static void new_id(char id[STENCIL_UUID + 1])
{
    static const char digits[] = "0123456789abcdef";
    static const char form[] = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
    uint64_t bits = 0;
    for (int i = 0; i < STENCIL_UUID; i++) {
        if (i % 16 == 0)
            bits = next_random();
        id[i] = form[i] == 'x' ? digits[bits & 15] : form[i];
        bits >>= 4;
    }
    id[STENCIL_UUID] = 0;
}

static void add_to_round(struct round *r, const struct event *e, unsigned weight)
{
    if (weight == 0 || weight > ROUND_MAX || r->count + weight > ROUND_MAX)
        refuse("a round of events is too long, or a weight is 0");
    r->events = mem_realloc(r->events, (r->count + weight) * sizeof *r->events);
    for (unsigned i = 0; i < weight; i++)
        r->events[r->count++] = *e;
}

static void shuffle(struct round *r)
{
    for (size_t i = r->count; i > 1; i--) {
        size_t j = (size_t)(next_random() % i);
        struct event other = r->events[j];
        r->events[j] = r->events[i - 1];
        r->events[i - 1] = other;
    }
}

static void read_round(struct round *r, const char *path)
{
    struct event e;
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file)
        refuse("the file of events cannot be opened");
    while (fgets(line, sizeof line, file)) {
        char *end = NULL;
        unsigned long weight = 1;
        if (sscanf(line, "%36s %36s", e.scan, e.finding) != 2 || strlen(e.scan) != STENCIL_UUID ||
            strlen(e.finding) != STENCIL_UUID)
            refuse("a line of the events is not SCAN FINDING [WEIGHT]");
        const char *third = line + 2 * STENCIL_UUID + 1;
        if (*third == ' ')
            weight = strtoul(third + 1, &end, 10);
        add_to_round(r, &e, (unsigned)weight);
    }
    fclose(file);
    if (r->count == 0)
        refuse("no events");
}

static void take_confirm(struct confirms *c, const amqp_frame_t *frame)
{
    broker_refuse_close(frame);
    if (frame->frame_type != AMQP_FRAME_METHOD)
        return;
    if (frame->payload.method.id == AMQP_BASIC_NACK_METHOD)
        refuse("the broker did not take a message");
    if (frame->payload.method.id != AMQP_BASIC_ACK_METHOD)
        return;
    const amqp_basic_ack_t *ack = frame->payload.method.decoded;
    check(ack->delivery_tag >= c->low && ack->delivery_tag <= c->sent);
    if (ack->multiple)
        for (uint64_t tag = c->low; tag < ack->delivery_tag; tag++)
            c->done[tag % WINDOW] = true;
    c->done[ack->delivery_tag % WINDOW] = true;
    for (; c->low <= c->sent && c->done[c->low % WINDOW]; c->low++)
        c->done[c->low % WINDOW] = false;
}

/* Reads confirms that are there; WAIT: at least one. */
static void read_confirms(amqp_connection_state_t broker, struct confirms *c, bool wait)
{
    struct timeval now = {0, 0};
    for (;;) {
        amqp_frame_t frame;
        int status = amqp_simple_wait_frame_noblock(broker, &frame, wait ? NULL : &now);
        if (status == AMQP_STATUS_TIMEOUT)
            return;
        broker_must_send(status, "confirm");
        take_confirm(c, &frame);
        amqp_maybe_release_buffers_on_channel(broker, BROKER_CHANNEL);
        wait = false;
    }
}

/* Sleeps until DUE; at once when that has passed, or when we are to stop. */
static void wait_until(int64_t due_ns)
{
    struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};
    while (!stopped && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0)
        ;
}

static uint64_t publish_all(amqp_connection_state_t broker, const struct options *o, struct stencil *stencil,
                            const struct round *round, struct histogram *late)
{
    struct confirms confirms = {.low = 1};
    char id[STENCIL_UUID + 1];
    int64_t begun = sent_now_ns();
    for (uint64_t n = 0; n < o->count && !stopped; n++) {
        if (o->rate > 0) {
            int64_t due = begun + (int64_t)((double)n / o->rate * 1e9);
            wait_until(due);
            histogram_add(late, (sent_now_ns() - due) / 1000);
        }
        const struct event *e = &round->events[n % round->count];
        new_id(id);
        stencil_fill(stencil, id, e->scan, e->finding, sent_now_ns());
        broker_must_send(amqp_basic_publish(broker, BROKER_CHANNEL, amqp_empty_bytes,
                                            amqp_cstring_bytes(o->queue), 0, 0, stencil_properties(stencil),
                                            stencil_body(stencil)),
                         "publish");
        confirms.sent++;
        bool full = confirms.sent - confirms.low + 1 >= WINDOW;
        if (full || o->rate > 0 || confirms.sent % LOOK_EVERY == 0)
            read_confirms(broker, &confirms, full);
    }
    while (confirms.low <= confirms.sent)
        read_confirms(broker, &confirms, true);
    return confirms.sent;
}

static void say(uint64_t published, int64_t took_ns, const struct histogram *late)
{
    struct buf out;
    buf_init(&out, JSON_MAX);
    buf_add_char(&out, '{');
    buf_json_key(&out, "published");
    buf_add_int(&out, (int64_t)published);
    buf_json_key(&out, "seconds");
    buf_json_number(&out, (double)took_ns / 1e9);
    histogram_add_json(late, "late_ms", &out);
    buf_add_char(&out, '}');
    puts(buf_text(&out));
    buf_free(&out);
}

static struct options read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"queue", required_argument, NULL, 'q'}, {"properties", required_argument, NULL, 'p'},
        {"body", required_argument, NULL, 'b'},  {"events", required_argument, NULL, 'e'},
        {"count", required_argument, NULL, 'n'}, {"rate", required_argument, NULL, 'r'},
        {"shuffle", no_argument, NULL, 's'},     {NULL, 0, NULL, 0},
    };
    struct options o = {.queue = "notify"};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'q':
            o.queue = optarg;
            break;
        case 'p':
            o.properties = optarg;
            break;
        case 'b':
            o.body = optarg;
            break;
        case 'e':
            o.events = optarg;
            break;
        case 'n':
            o.count = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            o.rate = strtod(optarg, NULL);
            break;
        case 's':
            o.shuffle = true;
            break;
        default:
            exit(2);
        }
    }
    if (!o.properties || !o.body || !o.events || o.count == 0 || o.rate < 0 || optind < argc)
        refuse(
            "usage: AMQP_URL=… publish --properties FILE --body FILE --events FILE --count N [--queue NAME] "
            "[--rate R] [--shuffle]");
    return o;
}

int main(int argc, char **argv)
{
    static struct histogram late;
    struct options o = read_options(argc, argv);
    struct round round = {0};
    const char *url = getenv("AMQP_URL");
    if (!url)
        refuse("AMQP_URL is not set");
    check(getrandom(&random_state, sizeof random_state, 0) == (ssize_t)sizeof random_state);
    read_round(&round, o.events);
    if (o.shuffle)
        shuffle(&round);
    struct stencil *stencil = stencil_read(o.properties, o.body);
    prctl(PR_SET_TIMERSLACK, 1UL); /* nanoseconds; the default of 50 us would show in a latency */
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_stop}, NULL);
    amqp_connection_state_t broker = broker_open(url);
    amqp_confirm_select(broker, BROKER_CHANNEL);
    broker_must(broker, "confirm.select");
    int64_t begun = sent_now_ns();
    uint64_t published = publish_all(broker, &o, stencil, &round, &late);
    say(published, sent_now_ns() - begun, &late);
    amqp_connection_close(broker, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(broker);
    stencil_free(stencil);
    free(round.events);
    return 0;
}
