/*
 * What each of Splunk's answers means, for one job and for many in a request.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/splunk.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define SETTINGS "{\"hec_url\":\"https://splunk.example:8088\",\"token\":\"t\",\"index\":\"main\"}"
#define BUSY     "{\"text\":\"Server is busy\",\"code\":9}"
#define SUCCESS  "{\"text\":\"Success\",\"code\":0}"

static struct verdict judge(long status, const char *body)
{
    struct dest_response r = talk_answer(status, body);
    return splunk_judge(&r).verdict;
}

/* ---- one job ---- */

static void taken_is_only_what_the_collector_says_it_took(void)
{
    static const char *const others[] = {"",
                                         "ok",
                                         "{}",
                                         "[0]",
                                         "{\"code\":\"0\"}",
                                         "{\"code\":false}",
                                         "{\"code\":0.0}",
                                         "{\"code\":17,\"text\":\"HEC is healthy\"}",
                                         "{\"code\":99}",
                                         "{\"code\":0} and more"};
    EXPECT_INT(judge(200, SUCCESS).kind, VERDICT_DELIVERED);
    EXPECT_INT(judge(200, "{\"text\":\"Success\",\"code\":0,\"ackId\":3}").kind, VERDICT_DELIVERED);
    EXPECT(judge(200, SUCCESS).detail == NULL);
    EXPECT_INT(judge(200, "{\"code\":24}").kind, VERDICT_DELIVERED);
    EXPECT(strstr(judge(200, "{\"code\":25}").detail, "capacity"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        EXPECT_INT(judge(200, others[i]).kind, VERDICT_REJECTED);
        EXPECT_INT(judge(200, others[i]).error, ERROR_NOT_ACCEPTED);
    }
    EXPECT_INT(judge(503, SUCCESS).kind, VERDICT_RETRY);
    EXPECT_INT(judge(400, SUCCESS).kind, VERDICT_REJECTED);
}

static void the_code_decides_whatever_the_status(void)
{
    static const int again[] = {8, 9, 18, 19, 20, 23, 26, 27};
    static const int never[] = {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 21, 22, 28};
    static const long statuses[] = {200, 400, 403, 500, 503};
    for (size_t s = 0; s < sizeof statuses / sizeof statuses[0]; s++) {
        char body[40];
        for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
            snprintf(body, sizeof body, "{\"code\":%d}", again[i]);
            EXPECT_INT(judge(statuses[s], body).kind, VERDICT_RETRY);
            EXPECT_INT(judge(statuses[s], body).error, s ? ERROR_HTTP_STATUS : ERROR_NOT_ACCEPTED);
        }
        for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
            snprintf(body, sizeof body, "{\"code\":%d}", never[i]);
            EXPECT_INT(judge(statuses[s], body).reason, REASON_REJECTED);
        }
    }
    EXPECT_INT(judge(429, "{\"code\":4}").kind, VERDICT_RETRY);
}

static void a_wait_that_is_asked_for_is_kept(void)
{
    static const char *const bodies[] = {"", BUSY};
    for (size_t i = 0; i < 2; i++) {
        struct dest_response r = talk_answer(503, bodies[i]);
        r.retry_after = 7;
        EXPECT(splunk_judge(&r).verdict.not_before == 7);
    }
}

static void no_number_of_an_event_changes_what_becomes_of_one(void)
{
    static const char *const bodies[] = {
        "{\"code\":6,\"invalid-event-number\":0}", "{\"code\":6,\"invalid-event-number\":1}",
        "{\"code\":7,\"invalid-event-number\":1}", "{\"code\":12,\"invalid-event-number\":9}",
        "{\"code\":15,\"invalid-event-number\":-1}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct talk t;
        struct dest_response r = talk_answer(400, bodies[i]);
        talk_begin(&t, "splunk", SETTINGS, "abc", 1);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(talk_next(&t, &r), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_REJECTED);
        talk_end(&t);
    }
}

/* ---- many jobs ---- */

enum { JOBS_MOST = 100 };

/* A conversation about so many events, with the ids e0, e1, … */
struct batch {
    struct arena arena;
    struct event events[JOBS_MOST];
    struct facts facts;
    struct conversation_job jobs[JOBS_MOST];
    struct conversation c;
    struct dest_body_cache cache;
    struct dest_request request;
    enum dest_next next;
};

enum { BODY_MAX = 262144 };

static void begin(struct batch *b, size_t count)
{
    struct dest_config_error error;
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, 4096);
    b->facts = talk_facts();
    for (size_t i = 0; i < count; i++) {
        b->events[i] = talk_event();
        b->events[i].id = arena_printf(&b->arena, "e%zu", i);
        b->jobs[i] =
            (struct conversation_job){.event = &b->events[i], .facts = &b->facts, .webhook_id = "abc"};
    }
    b->c = (struct conversation){.config = talk_parse(&b->arena, "splunk", SETTINGS, &error),
                                 .jobs = b->jobs,
                                 .job_count = count,
                                 .attempt = 1,
                                 .cache = &b->cache,
                                 .arena = &b->arena};
    dest_body_cache_init(&b->cache, BODY_MAX);
    b->next = dest_find("splunk")->next(&b->c, NULL, &b->request);
}

static void say(struct batch *b, long status, const char *body)
{
    struct dest_response r = talk_answer(status, body);
    EXPECT_INT(b->next, DEST_SEND);
    b->next = dest_find("splunk")->next(&b->c, &r, &b->request);
}

/* The events in the request are these: objects one after the other. */
static void expect_sent(const struct batch *b, size_t first, size_t count)
{
    static const char beginning[] = "{\"host\":\"pencheff\"";
    const char *at = b->request.body, *end = at + b->request.body_size, *why;
    EXPECT_INT(b->next, DEST_SEND);
    for (size_t i = 0; i < count; i++) {
        char id[30];
        const char *next = strstr(at + 1, beginning);
        struct json_object *one = json_parse(at, (size_t)((next ? next : end) - at), &why);
        at = next ? next : end;
        snprintf(id, sizeof id, "e%zu", first + i);
        EXPECT_TEXT(json_object_get_string(json_get(json_get(one, "event"), "id")), id);
        EXPECT_TEXT(json_object_get_string(json_get(one, "index")), "main");
        json_object_put(one);
    }
    EXPECT(at == end);
}

static void expect_end(struct batch *b, const char *wanted)
{
    static const char letters[] = "-drxna"; /* as enum verdict_kind */
    EXPECT_INT(b->next, DEST_FINISHED);
    for (size_t i = 0; i < b->c.job_count; i++)
        if (letters[b->jobs[i].verdict.kind] != wanted[i])
            unit_fail(__FILE__, __LINE__, "job %zu of %s is %c", i, wanted, letters[b->jobs[i].verdict.kind]);
    arena_wipe(&b->arena);
}

static void all_of_a_request_are_taken_at_once(void)
{
    struct batch b;
    begin(&b, 3);
    expect_sent(&b, 0, 3);
    say(&b, 200, SUCCESS);
    expect_end(&b, "ddd");
}

static void the_one_that_splunk_does_not_want_holds_up_none_of_the_others(void)
{
    struct batch b;
    begin(&b, 5);
    say(&b, 400, "{\"code\":6,\"invalid-event-number\":3}");
    expect_sent(&b, 4, 1);
    say(&b, 200, SUCCESS);
    expect_end(&b, "dddxd");

    begin(&b, 5);
    say(&b, 400, "{\"code\":12,\"invalid-event-number\":0}");
    expect_sent(&b, 1, 4);
    say(&b, 400, "{\"code\":15,\"invalid-event-number\":2}");
    expect_sent(&b, 4, 1);
    say(&b, 400, "{\"code\":13,\"invalid-event-number\":0}");
    expect_end(&b, "xddxx");
}

static void the_last_one_needs_no_further_request(void)
{
    struct batch b;
    begin(&b, 3);
    say(&b, 400, "{\"code\":6,\"invalid-event-number\":2}");
    expect_end(&b, "ddx");
}

static void what_splunk_took_before_it_was_busy_is_not_sent_again_but_for_the_one_in_doubt(void)
{
    struct batch b;
    begin(&b, 4);
    say(&b, 503, "{\"code\":9,\"invalid-event-number\":3}");
    expect_end(&b, "ddrr");
    begin(&b, 4);
    say(&b, 503, BUSY);
    expect_end(&b, "rrrr");
    begin(&b, 4);
    say(&b, 503, "{\"code\":9,\"invalid-event-number\":77}");
    expect_end(&b, "rrrr");
}

static void what_is_wrong_with_the_settings_is_told_to_all(void)
{
    struct batch b;
    begin(&b, 3);
    say(&b, 403, "{\"code\":4}");
    expect_end(&b, "xxx");
    begin(&b, 3);
    say(&b, 400, "{\"code\":7,\"invalid-event-number\":1}");
    expect_end(&b, "xxx");
    begin(&b, 3);
    say(&b, 400, "{\"code\":7,\"invalid-event-number\":3}");
    expect_end(&b, "ddx");
    begin(&b, 3);
    say(&b, 200, "<html>");
    expect_end(&b, "xxx");
}

static void a_refusal_that_names_none_is_asked_about_in_smaller_requests(void)
{
    struct batch b;
    begin(&b, 4);
    say(&b, 400, "{\"code\":6}");
    expect_sent(&b, 0, 2);
    say(&b, 400, "{\"code\":6,\"invalid-event-number\":2}"); /* there is no such one */
    expect_sent(&b, 0, 1);
    say(&b, 200, SUCCESS);
    expect_sent(&b, 1, 1);
    say(&b, 400, "{\"code\":6}");
    say(&b, 200, SUCCESS);
    say(&b, 200, SUCCESS);
    expect_end(&b, "dxdd");
}

static void a_request_that_is_too_large_is_made_smaller(void)
{
    struct batch b;
    begin(&b, 5);
    say(&b, 413, "");
    expect_sent(&b, 0, 2);
    say(&b, 200, SUCCESS);
    expect_sent(&b, 2, 2);
    say(&b, 413, "");
    expect_sent(&b, 2, 1);
    say(&b, 413, "");
    EXPECT_INT(b.jobs[2].verdict.reason, REASON_TOO_LONG);
    say(&b, 200, SUCCESS);
    say(&b, 200, SUCCESS);
    expect_end(&b, "ddxdd");
}

static void no_connection_is_told_to_all(void)
{
    struct dest_response lost = {.error = ERROR_TIMEOUT, .body = "", .error_text = "slow"};
    struct batch b;
    begin(&b, 2);
    b.next = dest_find("splunk")->next(&b.c, &lost, &b.request);
    EXPECT_INT(b.jobs[1].verdict.error, ERROR_TIMEOUT);
    expect_end(&b, "rr");
}

static void a_request_holds_as_many_as_fit(void)
{
    static char text[20000];
    struct batch b;
    size_t sent = 0, requests = 0;
    memset(text, 't', sizeof text - 1);
    begin(&b, JOBS_MOST);
    b.facts.finding.description = text;
    b.c.step = 0;
    b.next = dest_find("splunk")->next(&b.c, NULL, &b.request);
    for (; b.next == DEST_SEND; requests++) {
        size_t count = 0;
        EXPECT(b.request.body_size <= BODY_MAX);
        for (const char *at = b.request.body; (at = strstr(at, "\"tool\"")); at++)
            count++;
        expect_sent(&b, sent, count);
        EXPECT(sent + count == JOBS_MOST || b.request.body_size > BODY_MAX - 2 * SPLUNK_EVENT_MAX);
        sent += count;
        say(&b, 200, SUCCESS);
    }
    EXPECT_INT(sent, JOBS_MOST);
    EXPECT(requests > 1 && requests < 10);
    for (size_t i = 0; i < JOBS_MOST; i++)
        EXPECT_INT(b.jobs[i].verdict.kind, VERDICT_DELIVERED);
    arena_wipe(&b.arena);
}

static void a_conversation_with_many_refusals_leaves_the_rest_to_the_next_attempt(void)
{
    struct batch b;
    for (int attempt = 3; attempt <= 4; attempt++) {
        int requests = 0;
        begin(&b, 15);
        b.c.attempt = attempt;
        for (; b.next == DEST_SEND; requests++)
            say(&b, 400, "{\"code\":6,\"invalid-event-number\":0}");
        EXPECT_INT(requests, SPLUNK_REQUESTS_MAX);
        EXPECT_INT(b.jobs[14].verdict.error, ERROR_HTTP_STATUS);
        expect_end(&b, attempt == 3 ? "xxxxxxxxxxxxaaa" : "xxxxxxxxxxxxrrr");
    }
}

UNIT_MAIN(UNIT_CASE(taken_is_only_what_the_collector_says_it_took),
          UNIT_CASE(the_code_decides_whatever_the_status), UNIT_CASE(a_wait_that_is_asked_for_is_kept),
          UNIT_CASE(no_number_of_an_event_changes_what_becomes_of_one),
          UNIT_CASE(all_of_a_request_are_taken_at_once),
          UNIT_CASE(the_one_that_splunk_does_not_want_holds_up_none_of_the_others),
          UNIT_CASE(the_last_one_needs_no_further_request),
          UNIT_CASE(what_splunk_took_before_it_was_busy_is_not_sent_again_but_for_the_one_in_doubt),
          UNIT_CASE(what_is_wrong_with_the_settings_is_told_to_all),
          UNIT_CASE(a_refusal_that_names_none_is_asked_about_in_smaller_requests),
          UNIT_CASE(a_request_that_is_too_large_is_made_smaller), UNIT_CASE(no_connection_is_told_to_all),
          UNIT_CASE(a_request_holds_as_many_as_fit),
          UNIT_CASE(a_conversation_with_many_refusals_leaves_the_rest_to_the_next_attempt))
