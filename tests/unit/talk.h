#ifndef NOTIFY_TESTS_TALK_H
#define NOTIFY_TESTS_TALK_H

#include "common/destinations/dest.h"

/*
 * What the tests of all destinations need: an event with facts in which every member is filled, and a
 * conversation with a destination about it.
 */
#define TALK_SCAN_ID      "11111111-1111-4111-8111-111111111111"
#define TALK_WORKSPACE_ID "22222222-2222-4222-8222-222222222222"
#define TALK_TARGET_ID    "33333333-3333-4333-8333-333333333333"
#define TALK_FINDING_ID   "44444444-4444-4444-8444-444444444444"

/* 2026-11-22T01:59:15.291Z */
#define TALK_SEEN_US INT64_C(1795312755291998)

struct facts talk_facts(void);
/* The same, of a finding that is open: it is neither suppressed nor resolved, and real. */
struct facts talk_open_facts(void);
/* A finding_changed. */
struct event talk_event(void);

struct talk {
    const struct dest *dest;
    struct arena arena;
    struct event event;
    struct facts facts;
    struct dest_body_cache cache;
    struct conversation_job job;
    struct conversation c;
    struct dest_request request;
};

/* SETTINGS must be good. The case may change t->event and t->facts before it asks for the first request. */
void talk_begin(struct talk *t, const char *kind, const char *settings, const char *webhook_id,
                int64_t now_s);
/* dest->next with t->request. LAST is NULL for the first request. */
enum dest_next talk_next(struct talk *t, const struct dest_response *last);
/* An answer with a status and a body, which is not copied. */
struct dest_response talk_answer(long status, const char *body);
/* talk_next after such an answer. */
enum dest_next talk_answered(struct talk *t, long status, const char *body);
/* Before the first request: the conversation is a test. */
void talk_make_test(struct talk *t);
void talk_end(struct talk *t);
/* A header of t->request, which must stand there once; NULL when it does not stand there. */
const char *talk_header(const struct talk *t, const char *name);

/* The first request for every type of event is sent where its body has room, and else is dead at once as too long. */
void talk_expect_room(const char *kind, const char *settings);

/* The settings, parsed by KIND; NULL with *ERROR filled. Lives in the arena. */
const void *talk_parse(struct arena *a, const char *kind, const char *json, struct dest_config_error *error);

#endif
