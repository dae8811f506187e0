/*
 * When a finding's alert at PagerDuty opens, is added to and ends, and what is remembered after each answer.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/pagerduty.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define SETTINGS "{\"routing_key\":\"0123456789abcdef0123456789abcDEF\"}"
#define ACCEPTED "{\"status\":\"success\"}"
#define KEPT     "pencheff-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct dest_reference unknown = {0}, trying = {.unsure = true, .unsure_since_us = 1};

/* What was told before of the finding of the test as it is. */
static struct dest_reference told(bool open, bool unsure)
{
    return (struct dest_reference){.known = true,
                                   .key = KEPT,
                                   .open = open,
                                   .unsure = unsure,
                                   .severity = SEVERITY_HIGH,
                                   .title = talk_facts().finding.title};
}

static void begin(struct talk *t, enum event_type type, bool over, struct dest_reference reference)
{
    talk_begin(t, "pagerduty", SETTINGS, "abc", 1);
    t->event.type = type;
    t->facts = talk_open_facts();
    t->facts.finding.suppressed = over;
    t->c.reference = reference;
}

/* The alert that the request is about; "no text" when it is not ACTION. */
static const char *alert_of(struct talk *t, const char *action)
{
    const char *why;
    struct json_object *root = json_parse(t->request.body, t->request.body_size, &why);
    bool is_it = strcmp(chat_text(root, "event_action"), action) == 0;
    EXPECT_INT(json_object_object_length(root), strcmp(action, "resolve") == 0 ? 3 : 5);
    EXPECT(json_object_is_type(json_get(root, "routing_key"), json_type_string));
    const char *key = is_it ? arena_strdup(&t->arena, chat_text(root, "dedup_key")) : "no text";
    json_object_put(root);
    return key;
}

/* ACTION: NULL when nothing is to be done. */
static void expect_action(enum event_type type, bool over, struct dest_reference before, const char *action)
{
    struct talk t;
    char own[ALERT_KEY_TEXT];
    begin(&t, type, over, before);
    alert_key(&t.event, &t.facts, own);
    const char *key = before.known ? KEPT : own;
    EXPECT_INT(talk_next(&t, NULL), action ? DEST_SEND : DEST_FINISHED);
    if (!action) {
        EXPECT_INT(t.job.verdict.kind, VERDICT_NOTHING_TO_DO);
        EXPECT_INT(t.c.reference.known, before.known);
        EXPECT_INT(t.c.reference.unsure, before.unsure);
        talk_end(&t);
        return;
    }
    EXPECT_TEXT(alert_of(&t, action), key);
    EXPECT(t.c.reference.unsure && !t.request.once);
    EXPECT_INT(talk_answered(&t, 202, ACCEPTED), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
    const struct dest_reference *r = &t.c.reference;
    EXPECT(r->known && !r->unsure && r->open == !over && r->severity == SEVERITY_HIGH);
    EXPECT_TEXT(r->key, key);
    EXPECT_TEXT(r->title, t.facts.finding.title);
    talk_end(&t);
}

static void an_alert_follows_its_finding(void)
{
    const struct dest_reference open = told(true, false), closed = told(false, false),
                                doubt = told(true, true), closing = told(false, true);
    enum event_type new = EVENT_FINDING_NEW, changed = EVENT_FINDING_CHANGED;
    expect_action(new, false, unknown, "trigger");
    expect_action(changed, false, unknown, "trigger");
    expect_action(new, true, unknown, NULL);
    expect_action(changed, true, unknown, NULL);
    expect_action(new, false, trying, "trigger");
    expect_action(changed, true, trying, "resolve");
    expect_action(new, false, open, "trigger");
    expect_action(changed, false, open, NULL);
    expect_action(new, true, open, "resolve");
    expect_action(changed, true, open, "resolve");
    expect_action(new, false, closed, "trigger");
    expect_action(changed, false, closed, "trigger");
    expect_action(new, true, closed, NULL);
    expect_action(changed, true, closed, NULL);
    expect_action(changed, false, doubt, "trigger");
    expect_action(changed, true, doubt, "resolve");
    expect_action(changed, false, closing, "trigger");
    expect_action(changed, true, closing, "resolve");
}

static bool is_news(enum severity severity, const char *title, const char *before)
{
    struct talk t;
    struct dest_reference reference = told(true, false);
    reference.title = before;
    begin(&t, EVENT_FINDING_CHANGED, false, reference);
    t.facts.finding.severity = severity;
    t.facts.finding.title = title;
    bool sent = talk_next(&t, NULL) == DEST_SEND;
    if (sent)
        EXPECT_TEXT(alert_of(&t, "trigger"), KEPT);
    talk_end(&t);
    return sent;
}

static void a_change_is_told_when_the_finding_is_rated_or_called_otherwise(void)
{
    EXPECT(!is_news(SEVERITY_HIGH, "a title", "a title"));
    EXPECT(is_news(SEVERITY_CRITICAL, "a title", "a title"));
    EXPECT(is_news(SEVERITY_HIGH, "a title", "another"));
    EXPECT(!is_news(SEVERITY_HIGH, " a\n\xe2\x80\x8btitle", "a title")); /* nobody sees a difference */
    EXPECT(!is_news(SEVERITY_HIGH, NULL, NULL));
    EXPECT(!is_news(SEVERITY_HIGH, NULL, "\x01"));
    EXPECT(is_news(SEVERITY_HIGH, "a title", NULL));
    EXPECT(is_news(SEVERITY_HIGH, NULL, "a title"));
}

static void an_event_that_is_not_accepted_leaves_doubt_only_where_it_may_have_been(void)
{
    static const struct {
        struct dest_response answer;
        bool unsure;
    } cases[] = {
        {{.status = 400, .body = ""}, false},
        {{.status = 429, .body = ""}, false},
        {{.status = 500, .body = ""}, true},
        {{.status = 202, .body = "queued"}, true},
        {{.error = ERROR_CONNECT, .body = ""}, false},
        {{.error = ERROR_TIMEOUT, .body = "", .sent = true}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int over = 0; over < 2; over++) {
            struct talk t;
            begin(&t, EVENT_FINDING_NEW, over, told(true, false));
            EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
            EXPECT_INT(talk_next(&t, &cases[i].answer), DEST_FINISHED);
            EXPECT(t.job.verdict.kind == VERDICT_RETRY || t.job.verdict.kind == VERDICT_REJECTED);
            EXPECT_INT(t.c.reference.unsure, cases[i].unsure);
            EXPECT(t.c.reference.known && t.c.reference.open);
            talk_end(&t);
        }
}

static void a_key_that_is_none_of_ours_is_not_sent(void)
{
    struct talk t;
    struct dest_reference before = told(true, false);
    char own[ALERT_KEY_TEXT];
    before.key = "x\",\"event_action\":\"resolve";
    begin(&t, EVENT_FINDING_CHANGED, false, before);
    alert_key(&t.event, &t.facts, own);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND); /* nothing is known of it any more: it is told */
    EXPECT_TEXT(alert_of(&t, "trigger"), own);
    talk_end(&t);
    begin(&t, EVENT_FINDING_CHANGED, true, before);
    EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
    EXPECT(t.job.verdict.kind == VERDICT_NOTHING_TO_DO && !t.c.reference.known);
    talk_end(&t);
}

static void an_end_has_room_or_is_dead_before_it_is_sent(void)
{
    for (size_t room = 0; room < 200; room++) {
        struct talk t;
        begin(&t, EVENT_FINDING_CHANGED, true, told(true, false));
        dest_body_cache_free(&t.cache);
        dest_body_cache_init(&t.cache, room);
        enum dest_next next = talk_next(&t, NULL);
        EXPECT(next == DEST_SEND ? t.request.body_size <= room : t.job.verdict.reason == REASON_TOO_LONG);
        EXPECT_INT(t.c.reference.unsure, next == DEST_SEND);
        talk_end(&t);
    }
}

UNIT_MAIN(UNIT_CASE(an_alert_follows_its_finding),
          UNIT_CASE(a_change_is_told_when_the_finding_is_rated_or_called_otherwise),
          UNIT_CASE(an_event_that_is_not_accepted_leaves_doubt_only_where_it_may_have_been),
          UNIT_CASE(a_key_that_is_none_of_ours_is_not_sent),
          UNIT_CASE(an_end_has_room_or_is_dead_before_it_is_sent))
