/*
 * What is to be done for a finding at a destination that remembers, and what it remembers after each answer.
 */
#include <string.h>

#include "common/destinations/life.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

struct scene {
    struct event event;
    struct facts facts;
    struct conversation_job job;
    struct conversation c;
};

static void begin(struct scene *s, enum event_type type)
{
    memset(s, 0, sizeof *s);
    s->event = talk_event();
    s->event.type = type;
    s->facts = talk_open_facts();
    s->job = (struct conversation_job){.event = &s->event, .facts = &s->facts};
    s->c = (struct conversation){.jobs = &s->job, .job_count = 1};
}

static enum life_act act(enum event_type type, bool over, struct dest_reference reference)
{
    struct scene s;
    begin(&s, type);
    s.facts.finding.suppressed = over;
    s.c.reference = reference;
    return life_act_of(&s.c);
}

static const struct dest_reference none = {0}, trying = {.unsure = true},
                                   open = {.known = true, .open = true}, closed = {.known = true},
                                   doubt = {.known = true, .unsure = true};
static const enum event_type new = EVENT_FINDING_NEW, changed = EVENT_FINDING_CHANGED;

static void what_nobody_was_told_of_is_opened_or_looked_for(void)
{
    EXPECT_INT(act(new, false, none), LIFE_OPEN);
    EXPECT_INT(act(changed, false, none), LIFE_OPEN);
    EXPECT_INT(act(new, true, none), LIFE_NOTHING);
    EXPECT_INT(act(changed, true, none), LIFE_NOTHING);
    EXPECT_INT(act(new, false, trying), LIFE_LOOK);
    EXPECT_INT(act(changed, true, trying), LIFE_LOOK);
}

static void what_is_done_follows_from_the_finding_and_the_reference(void)
{
    EXPECT_INT(act(new, false, open), LIFE_CHANGE);
    EXPECT_INT(act(changed, false, open), LIFE_CHANGE);
    EXPECT_INT(act(new, true, open), LIFE_CLOSE);
    EXPECT_INT(act(changed, true, open), LIFE_CLOSE);
    EXPECT_INT(act(new, true, closed), LIFE_NOTHING);
    EXPECT_INT(act(changed, true, closed), LIFE_CHANGE);
    EXPECT_INT(act(new, false, closed), LIFE_REOPEN);
    EXPECT_INT(act(changed, false, closed), LIFE_REOPEN);
    EXPECT_INT(act(new, false, doubt), LIFE_REOPEN);
    EXPECT_INT(act(new, true, doubt), LIFE_CLOSE);
    EXPECT_INT(act(changed, true, doubt), LIFE_CLOSE);
}

static void an_event_of_a_scan_is_told_once(void)
{
    EXPECT_INT(act(EVENT_SCAN_FAILED, false, (struct dest_reference){0}), LIFE_OPEN);
    EXPECT_INT(act(EVENT_SCAN_FAILED, false, (struct dest_reference){.unsure = true}), LIFE_LOOK);
    EXPECT_INT(act(EVENT_SCAN_FAILED, false, (struct dest_reference){.known = true, .open = true}),
               LIFE_NOTHING);
}

static bool leaves_doubt(struct dest_response answer)
{
    struct scene s;
    begin(&s, EVENT_FINDING_NEW);
    life_asks(&s.c);
    EXPECT(s.c.reference.unsure);
    life_failed(&s.c, &answer);
    return s.c.reference.unsure;
}

static void a_request_that_may_have_been_carried_out_leaves_doubt(void)
{
    EXPECT(!leaves_doubt((struct dest_response){.status = 400}));
    EXPECT(!leaves_doubt((struct dest_response){.status = 302}));
    EXPECT(!leaves_doubt((struct dest_response){.status = 429}));
    EXPECT(!leaves_doubt((struct dest_response){.error = ERROR_CONNECT}));
    EXPECT(!leaves_doubt((struct dest_response){.error = ERROR_TIMEOUT}));
    EXPECT(leaves_doubt((struct dest_response){.error = ERROR_TIMEOUT, .sent = true}));
    EXPECT(leaves_doubt((struct dest_response){.error = ERROR_CONNECTION_LOST, .sent = true}));
    EXPECT(leaves_doubt((struct dest_response){.status = 408}));
    EXPECT(leaves_doubt((struct dest_response){.status = 500}));
    EXPECT(leaves_doubt((struct dest_response){.status = 503}));
    EXPECT(leaves_doubt((struct dest_response){.status = 200})); /* a success that is not understood */
    EXPECT(leaves_doubt((struct dest_response){.status = 103}));
}

static void doubt_of_before_stays_when_nothing_was_done(void)
{
    struct scene s;
    struct dest_response refused = {.status = 429};
    begin(&s, EVENT_FINDING_NEW);
    s.c.reference = (struct dest_reference){.known = true, .key = "7", .unsure = true};
    life_asks(&s.c);
    life_failed(&s.c, &refused);
    EXPECT(s.c.reference.unsure && s.c.reference.known);
    life_asks(&s.c);
    life_is(&s.c, "7", true);
    EXPECT(!s.c.reference.unsure && s.c.reference.open && strcmp(s.c.reference.key, "7") == 0);
    EXPECT_INT(s.c.reference.severity, s.facts.finding.severity);
    EXPECT_TEXT(s.c.reference.title, s.facts.finding.title);
}

static void what_is_gone_is_made_anew_only_while_the_finding_is_open(void)
{
    struct scene s;
    begin(&s, EVENT_FINDING_CHANGED);
    s.c.reference = (struct dest_reference){.known = true, .key = "7", .open = true};
    EXPECT_INT(life_is_gone(&s.c).kind, VERDICT_AGAIN);
    EXPECT(!s.c.reference.known && !s.c.reference.unsure && !s.c.reference.key);
    EXPECT_INT(life_act_of(&s.c), LIFE_OPEN);
    begin(&s, EVENT_FINDING_CHANGED);
    s.c.reference = (struct dest_reference){.known = true, .key = "7", .open = true};
    s.facts.finding.resolved_at = "2026-11-22T01:59:00Z";
    EXPECT_INT(life_is_gone(&s.c).kind, VERDICT_NOTHING_TO_DO);
    EXPECT(!s.c.reference.known);
}

static enum life_end end_of(const char *status, bool suppressed, const char *resolved_at)
{
    struct facts_finding f = {
        .verification_status = status, .suppressed = suppressed, .resolved_at = resolved_at};
    return life_end_of(&f);
}

static void a_finding_is_closed_when_it_is_suppressed_resolved_or_no_real_one(void)
{
    EXPECT_INT(end_of(NULL, false, NULL), LIFE_GOES_ON);
    EXPECT_INT(end_of("", false, NULL), LIFE_GOES_ON);
    EXPECT_INT(end_of("unverified", false, NULL), LIFE_GOES_ON);
    EXPECT_INT(end_of("true_positive", false, NULL), LIFE_GOES_ON);
    EXPECT_INT(end_of("false_negative", false, NULL), LIFE_GOES_ON);
    EXPECT_INT(end_of("unverified", true, NULL), LIFE_SUPPRESSED);
    EXPECT_INT(end_of("true_positive", false, "2026-11-22T01:59:15Z"), LIFE_RESOLVED);
    EXPECT_INT(end_of("false_positive", false, NULL), LIFE_NOT_REAL);
    EXPECT_INT(end_of("true_negative", false, NULL), LIFE_NOT_REAL);
}

static void what_happened_is_said_in_few_words(void)
{
    struct scene s;
    struct arena a;
    arena_init(&a, 256);
    begin(&s, EVENT_FINDING_CHANGED);
    struct facts_finding *f = &s.facts.finding;
    EXPECT_TEXT(life_words(LIFE_CHANGE, &s.event, f, &a), "Updated");
    EXPECT_TEXT(life_words(LIFE_REOPEN, &s.event, f, &a), "Open again");
    f->suppressed = true;
    EXPECT_TEXT(life_words(LIFE_CLOSE, &s.event, f, &a), "Closed: suppressed");
    f->suppress_reason = " \x01\xe2\x80\x8b";
    EXPECT_TEXT(life_words(LIFE_CLOSE, &s.event, f, &a), "Closed: suppressed");
    f->suppress_reason = "accepted risk";
    EXPECT_TEXT(life_words(LIFE_CLOSE, &s.event, f, &a), "Closed: suppressed (accepted risk)");
    f->suppress_reason = " accepted\nrisk \n";
    EXPECT_TEXT(life_words(LIFE_CLOSE, &s.event, f, &a), "Closed: suppressed (accepted risk)");
    f->suppress_reason = "\xe2\x80\x8b\n";
    EXPECT_TEXT(life_words(LIFE_CLOSE, &s.event, f, &a), "Closed: suppressed");
    f->suppressed = false;
    f->resolved_at = "2026-11-22T01:59:15Z";
    EXPECT_TEXT(life_words(LIFE_CLOSE, &s.event, f, &a), "Closed: resolved");
    s.event.type = EVENT_FINDING_NEW;
    EXPECT_TEXT(life_words(LIFE_CHANGE, &s.event, f, &a), "Found again");
    EXPECT_TEXT(life_words(LIFE_REOPEN, &s.event, f, &a), "Found again");
    arena_free(&a);
}

UNIT_MAIN(UNIT_CASE(what_nobody_was_told_of_is_opened_or_looked_for),
          UNIT_CASE(what_is_done_follows_from_the_finding_and_the_reference),
          UNIT_CASE(an_event_of_a_scan_is_told_once),
          UNIT_CASE(a_request_that_may_have_been_carried_out_leaves_doubt),
          UNIT_CASE(doubt_of_before_stays_when_nothing_was_done),
          UNIT_CASE(what_is_gone_is_made_anew_only_while_the_finding_is_open),
          UNIT_CASE(a_finding_is_closed_when_it_is_suppressed_resolved_or_no_real_one),
          UNIT_CASE(what_happened_is_said_in_few_words))
