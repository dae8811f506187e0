#ifndef NOTIFY_TESTS_LINK_FAKE_H
#define NOTIFY_TESTS_LINK_FAKE_H

#include <event2/event.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/pg_link.h"
#include "tests/unit/unit.h"
#include "worker/shared.h"

/*
 * A database link whose server is the test. The functions below are those of pg_link.c, so the linker leaves
 * that file of the library out. A request is answered in the turn after it was sent, as `judge` says.
 */
struct pg_link {
    struct event_base *base;
    struct event *answer;
    struct pg_request *request; /* under way */
    bool down;
    int sent;          /* requests so far */
    const char *value; /* the first parameter of the request's last statement */
    enum pg_outcome (*judge)(struct pg_link *link);
    const char *sqlstate; /* of what is not PG_DONE */
};

static struct pg_link fake;

static void fake_answer(evutil_socket_t fd, short what, void *arg)
{
    struct pg_request *r = fake.request;
    (void)fd;
    (void)what;
    (void)arg;
    fake.request = NULL;
    r->outcome = fake.judge(&fake);
    snprintf(r->sqlstate, sizeof r->sqlstate, "%s", r->outcome == PG_DONE ? "" : fake.sqlstate);
    snprintf(r->words, sizeof r->words, "the test says so");
    r->done(r);
}

static inline void fake_begin(enum pg_outcome (*judge)(struct pg_link *link))
{
    static bool mapped;
    if (!mapped)
        shared_map();
    mapped = true;
    shared_adopt(0);
    log_threshold = (enum log_level)(LOG_ERROR + 1); /* the refusals are meant */
    fake = (struct pg_link){.base = event_base_new(), .judge = judge, .sqlstate = "22000"};
    fake.answer = event_new(fake.base, -1, 0, fake_answer, NULL);
}

static inline void fake_end(void)
{
    event_free(fake.answer);
    event_base_free(fake.base);
}

/* Turn the loop until DONE or for SECONDS; whether it was done. */
static inline bool fake_loop(bool (*done)(void), double seconds)
{
    int64_t until = clock_mono_us() + clock_us(seconds);
    while (clock_mono_us() < until) {
        if (done && done())
            return true;
        event_base_loop(fake.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    return done && done();
}

bool pg_link_is_up(const struct pg_link *link)
{
    return !link->down;
}

void pg_link_begin(struct pg_link *link, struct pg_request *request)
{
    EXPECT(!link->request && !link->down);
    link->request = request;
    link->sent++;
    request->statements = 0;
}

void pg_link_execute(struct pg_link *link, struct pg_request *request, int statement, int count,
                     const char *const *values, const int *lengths, const int *formats)
{
    (void)statement;
    (void)count;
    (void)lengths;
    (void)formats;
    request->statements++;
    link->value = values[0];
}

void pg_link_end(struct pg_link *link, struct pg_request *request)
{
    EXPECT(link->request == request);
    event_add(link->answer, &(struct timeval){0, 0}); /* a timer: what is made active now runs in this turn */
}

#endif
