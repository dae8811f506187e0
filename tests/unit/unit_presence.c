/*
 * What Celery's tools see, in shared memory: messages in hand, events, queues; and the globs that choose a node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/unit.h"
#include "worker/presence_request.h"
#include "worker/shared.h"

static const struct {
    const char *pattern, *text;
    bool matches;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"celery@*", "celery@host", true},
    {"celery@*", "celer@host", false},
    {"*host", "celery@host", true},
    {"*h*t*", "celery@host", true},
    {"c?l*y@h?st", "celery@host", true},
    {"[a-d]elery*", "celery@host", true},
    {"[!a-d]elery*", "celery@host", false},
    {"[]]x", "]x", true},
    {"[", "[", true},
    {"[!", "[!", true},
    {"a[", "a[", true},
    {"*[a-]", "x-", true},
    {"host", "hosts", false},
};

static void a_glob_matches_as_python_does_it(void)
{
    for (size_t i = 0; i < sizeof globs / sizeof globs[0]; i++)
        EXPECT(presence_glob(globs[i].pattern, globs[i].text) == globs[i].matches);
}

/* What the C library would compile to gigabytes, or for minutes; and what it would not. */
static const struct {
    const char *pattern;
    enum presence_request_result result;
} regexes[] = {
    {"celery@.*", PRESENCE_REQUEST_OURS},
    {"^(cel|x)[a-z]+@h+.*$", PRESENCE_REQUEST_OURS},
    {"[^x]+@", PRESENCE_REQUEST_OURS},
    {"elery", PRESENCE_REQUEST_OTHERS},
    {"((((((((((((a*)*)*)*)*)*)*)*)*)*)*)*)*$", PRESENCE_REQUEST_OTHERS},
    {"((((((((((((((((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
     PRESENCE_REQUEST_UNMATCHABLE},
    {"a++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++", PRESENCE_REQUEST_UNMATCHABLE},
    {"a*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+*+", PRESENCE_REQUEST_UNMATCHABLE},
    {"((((((((((((((((((((((((((((^|a)*b)*b)*b)*b)*b)*b)*b)*b)*b)*"
     "b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b)*b",
     PRESENCE_REQUEST_UNMATCHABLE},
    {"a{1000}", PRESENCE_REQUEST_UNMATCHABLE},
};

static void a_regular_expression_costs_milliseconds_or_is_not_matched(void)
{
    enum { MEMORY = 1 << 30 };
    struct rlimit before, limit;
    getrlimit(RLIMIT_AS, &before);
    limit = before;
    limit.rlim_cur = MEMORY; /* where what is too much ends at once */
    for (size_t i = 0; i < sizeof regexes / sizeof regexes[0]; i++) {
        struct presence_request r;
        struct arena arena;
        const char *why = NULL;
        char body[512];
        int n = snprintf(body, sizeof body, "{\"method\":\"ping\",\"matcher\":\"pcre\",\"pattern\":\"%s\"}",
                         regexes[i].pattern);
        struct raw_message raw = {.body = body, .body_size = (size_t)n, .announced_size = (size_t)n};
        arena_init(&arena, 256);
        int64_t begun = clock_mono_us();
        if (!getenv("UNIT_RARE"))
            setrlimit(RLIMIT_AS, &limit);
        enum presence_request_result result = presence_request_read(&raw, &arena, "celery@host", &r, &why);
        setrlimit(RLIMIT_AS, &before);
        int64_t took = clock_mono_us() - begun;
        if (result != regexes[i].result)
            unit_fail(__FILE__, __LINE__, "%s: %d", regexes[i].pattern, (int)result);
        EXPECT(took < 1000000);
        presence_request_free(&r);
        arena_free(&arena);
    }
}

/* Fresh memory, and this process as one of its workers. */
static void set_up(void)
{
    shared_map();
    shared_adopt(shared_slot_claim(SHARED_WORKER));
}

static struct presence_task task_called(const char *id)
{
    struct presence_task t = {.pid = getpid(), .attempt = 1};
    snprintf(t.id, sizeof t.id, "%s", id);
    return t;
}

static void a_message_in_hand_is_listed_until_it_is_given_back(void)
{
    set_up();
    struct presence_task t = task_called("one"), out;
    int place = presence_shared_put_task(&t);
    EXPECT(place >= 0);
    EXPECT(presence_shared_get_task(place, &out) == PRESENCE_RESERVED && strcmp(out.id, "one") == 0);
    presence_shared_start_task(place, 5);
    presence_shared_start_task(place, 7);
    EXPECT(presence_shared_get_task(place, &out) == PRESENCE_ACTIVE && out.started_us == 5);
    presence_shared_move_task(place, PRESENCE_RESERVED);
    EXPECT(presence_shared_get_task(place, &out) == PRESENCE_RESERVED);
    presence_shared_free_task(place);
    EXPECT(presence_shared_get_task(place, &out) == PRESENCE_FREE);
}

static void what_a_dead_process_held_is_tidied_up(void)
{
    set_up();
    struct presence_task t = task_called("lost"), out;
    int place = presence_shared_put_task(&t);
    shared_mine()->pid = 1; /* the slot is another process's now */
    EXPECT(presence_shared_get_task(place, &out) == PRESENCE_FREE);
    shared_mine()->pid = getpid();
    EXPECT(presence_shared_get_task(place, &out) == PRESENCE_FREE);
}

static void more_than_there_is_room_for_is_left_out(void)
{
    set_up();
    struct presence_task t = task_called("many");
    int kept = 0;
    for (int i = 0; i < PRESENCE_TASKS + 100; i++)
        kept += presence_shared_put_task(&t) >= 0;
    EXPECT(kept == PRESENCE_TASKS);
    for (int i = 0; i < PRESENCE_TASKS; i++)
        presence_shared_free_task(i);
}

static void put_event(const char *id)
{
    struct presence_event e = {.kind = PRESENCE_RECEIVED, .task = task_called(id)};
    presence_shared_put_event(&e);
}

static void events_come_in_order_and_the_lost_are_counted(void)
{
    set_up();
    struct presence_reader r = {0};
    struct presence_event e;
    char id[16];
    presence_shared_skip_events(&r);
    EXPECT(!presence_shared_get_event(&r, 1, &e));
    put_event("first");
    put_event("second");
    EXPECT(presence_shared_get_event(&r, 1, &e) && strcmp(e.task.id, "first") == 0);
    EXPECT(presence_shared_get_event(&r, 1, &e) && strcmp(e.task.id, "second") == 0);
    EXPECT(!presence_shared_get_event(&r, 1, &e) && r.lost == 0);
    for (int i = 0; i < PRESENCE_EVENTS + 10; i++) {
        snprintf(id, sizeof id, "%d", i);
        put_event(id);
    }
    EXPECT(presence_shared_get_event(&r, 1, &e) && strcmp(e.task.id, "10") == 0 && r.lost == 10);
}

static void an_event_that_is_never_finished_holds_up_the_others_for_a_second_only(void)
{
    set_up();
    struct presence_reader r = {0};
    struct presence_event e;
    presence_shared_skip_events(&r);
    atomic_fetch_add(&shared_presence()->events_begun, 1); /* its writer was killed */
    put_event("next");
    EXPECT(!presence_shared_get_event(&r, 1, &e));
    EXPECT(!presence_shared_get_event(&r, 900000, &e));
    EXPECT(presence_shared_get_event(&r, 1100000, &e) && strcmp(e.task.id, "next") == 0 && r.lost == 1);
}

enum { WRITERS = 3, EACH = 20000 };

/* Events of several processes at once: each that comes is whole, and what does not come is counted. */
static void several_processes_write_events_at_once(void)
{
    set_up();
    struct presence_reader r = {0};
    struct presence_event e;
    uint64_t got = 0, torn = 0;
    presence_shared_skip_events(&r);
    for (int w = 0; w < WRITERS; w++) {
        if (fork() == 0) {
            struct presence_event mine = {.kind = PRESENCE_STARTED, .matched = w};
            memset(mine.task.id, 'a' + w, sizeof mine.task.id - 1);
            memset(mine.task.queue, 'a' + w, sizeof mine.task.queue - 1);
            for (int i = 0; i < EACH; i++)
                presence_shared_put_event(&mine);
            _exit(0);
        }
    }
    for (int left = WRITERS; left > 0 || presence_shared_get_event(&r, 1, &e);) {
        while (presence_shared_get_event(&r, 1, &e)) {
            got++;
            torn += e.task.id[0] != 'a' + e.matched || strspn(e.task.id, (char[]){e.task.id[0], 0}) != 200 ||
                    e.task.queue[0] != e.task.id[0];
        }
        left -= left > 0 && waitpid(-1, NULL, WNOHANG) > 0;
    }
    EXPECT(torn <= got / 100); /* a writer that slept for a whole round of the ring can tear one */
    EXPECT(got + r.lost >= (uint64_t)WRITERS * EACH - 1 && got > 0);
}

static void queues_keep_their_places(void)
{
    set_up();
    char name[16];
    EXPECT(presence_shared_queue_state("q") == PRESENCE_QUEUE_AS_CONFIGURED);
    uint32_t version = shared_presence()->queue_version;
    EXPECT(presence_shared_set_queue("q", PRESENCE_QUEUE_ADDED));
    EXPECT(presence_shared_queue_state("q") == PRESENCE_QUEUE_ADDED);
    EXPECT(presence_shared_set_queue("q", PRESENCE_QUEUE_CANCELLED));
    EXPECT(presence_shared_queue_state("q") == PRESENCE_QUEUE_CANCELLED);
    EXPECT(shared_presence()->queue_version == version + 2 && shared_presence()->queue_count == 1);
    for (int i = 1; i < PRESENCE_QUEUES; i++) {
        snprintf(name, sizeof name, "q%d", i);
        EXPECT(presence_shared_set_queue(name, PRESENCE_QUEUE_ADDED));
    }
    EXPECT(!presence_shared_set_queue("one too many", PRESENCE_QUEUE_ADDED));
    version = shared_presence()->queue_version;
    EXPECT(presence_shared_set_queue("q", PRESENCE_QUEUE_ADDED));
    EXPECT(presence_shared_set_queue("q", PRESENCE_QUEUE_ADDED));
    EXPECT(presence_shared_set_queue("a configured one", PRESENCE_QUEUE_AS_CONFIGURED)); /* takes no place */
    EXPECT(shared_presence()->queue_version == version + 3);
    EXPECT(presence_shared_queues_in(PRESENCE_QUEUE_ADDED) == PRESENCE_QUEUES);
    EXPECT(presence_shared_queues_in(PRESENCE_QUEUE_CANCELLED) == 0);
}

static void one_agent_at_a_time_is_shown(void)
{
    set_up();
    int first = shared_slot_claim(SHARED_AGENT), second = shared_slot_claim(SHARED_AGENT);
    shared_slot_at(first)->pid = shared_slot_at(second)->pid = getpid();
    EXPECT(presence_shared_hold(first) && presence_shared_hold(first) && !presence_shared_hold(second));
    presence_shared_let_go(second);
    EXPECT(!presence_shared_hold(second));
    presence_shared_let_go(first);
    EXPECT(presence_shared_hold(second));
    shared_slot_release(second); /* it died without a word */
    EXPECT(presence_shared_hold(first));
}

UNIT_MAIN(UNIT_CASE(a_glob_matches_as_python_does_it),
          UNIT_CASE(a_regular_expression_costs_milliseconds_or_is_not_matched),
          UNIT_CASE(a_message_in_hand_is_listed_until_it_is_given_back),
          UNIT_CASE(what_a_dead_process_held_is_tidied_up),
          UNIT_CASE(more_than_there_is_room_for_is_left_out),
          UNIT_CASE(events_come_in_order_and_the_lost_are_counted),
          UNIT_CASE(an_event_that_is_never_finished_holds_up_the_others_for_a_second_only),
          UNIT_CASE(several_processes_write_events_at_once), UNIT_CASE(queues_keep_their_places),
          UNIT_CASE(one_agent_at_a_time_is_shown))
