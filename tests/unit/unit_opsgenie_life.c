/*
 * What becomes of a finding's alert at Opsgenie, and what is remembered after each answer.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/opsgenie.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define SETTINGS "{\"api_key\":\"12345678-90ab-4cde-8f01-234567890abc\"}"
#define ALERTS   "https://api.opsgenie.com/v2/alerts"
#define ACCEPTED "{\"requestId\":\"r\"}"
#define KEPT     "pencheff-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct dest_reference unknown = {0}, trying = {.unsure = true, .unsure_since_us = 1};

static struct dest_reference told(bool open, bool unsure, enum severity severity)
{
    return (struct dest_reference){
        .known = true, .key = KEPT, .open = open, .unsure = unsure, .severity = severity};
}

static void begin(struct talk *t, enum event_type type, bool over, struct dest_reference reference)
{
    talk_begin(t, "opsgenie", SETTINGS, "abc", 1);
    t->event.type = type;
    t->facts = talk_open_facts();
    t->facts.finding.suppressed = over;
    t->facts.finding.suppress_reason = over ? "<b>accepted</b>\nrisk" : NULL;
    t->c.reference = reference;
}

/* The letter of the request: Create, Note, Priority, End. Its alert is ALIAS. */
static char letter_of(struct talk *t, const char *alias)
{
    const char *why, *action = t->request.url + strlen(t->request.url) - strlen("?identifierType=alias");
    struct json_object *root = json_parse(t->request.body, t->request.body_size, &why);
    EXPECT(root && talk_header(t, "Authorization") && !t->request.once);
    if (strcmp(t->request.url, ALERTS) == 0) {
        EXPECT_TEXT(chat_text(root, "alias"), alias);
        EXPECT_TEXT(t->request.method, "POST");
        json_object_put(root);
        return 'C';
    }
    EXPECT(strstr(t->request.url, alias) == t->request.url + sizeof ALERTS);
    bool note = strncmp(action - 6, "/notes", 6) == 0, end = strncmp(action - 6, "/close", 6) == 0;
    EXPECT_TEXT(t->request.method, note || end ? "POST" : "PUT");
    if (note)
        EXPECT(!strstr(chat_text(root, "note"), "Closed") && strstr(chat_text(root, "note"), "updated"));
    else if (end)
        EXPECT(strncmp(chat_text(root, "note"), "Closed: suppressed (&lt;b&gt;accepted&lt;/b&gt; risk)\n",
                       51) == 0);
    else
        EXPECT_TEXT(t->request.body, "{\"priority\":\"P2\"}");
    json_object_put(root);
    return note ? 'N' : end ? 'E' : 'P';
}

/* The letters of all requests, each of which is accepted. */
static void expect_requests(enum event_type type, bool over, struct dest_reference before,
                            const char *letters)
{
    struct talk t;
    char own[ALERT_KEY_TEXT];
    begin(&t, type, over, before);
    alert_key(&t.event, &t.facts, own);
    const char *alias = before.known ? KEPT : own, *at = letters;
    enum dest_next next = talk_next(&t, NULL);
    for (; next == DEST_SEND; next = talk_answered(&t, 202, ACCEPTED))
        EXPECT_INT(letter_of(&t, alias), *at++);
    EXPECT_INT(*at, 0);
    EXPECT_INT(t.job.verdict.kind, *letters ? VERDICT_DELIVERED : VERDICT_NOTHING_TO_DO);
    EXPECT_INT(t.c.reference.known, before.known || *letters);
    if (*letters) {
        EXPECT_TEXT(t.c.reference.key, alias);
        EXPECT(t.c.reference.open == !over && !t.c.reference.unsure);
        EXPECT_INT(t.c.reference.severity, SEVERITY_HIGH);
    }
    talk_end(&t);
}

static void an_alert_follows_its_finding(void)
{
    const struct dest_reference open = told(true, false, SEVERITY_HIGH),
                                low = told(true, false, SEVERITY_LOW),
                                closed = told(false, false, SEVERITY_LOW),
                                doubt = told(true, true, SEVERITY_HIGH),
                                low_doubt = told(false, true, SEVERITY_LOW);
    enum event_type new = EVENT_FINDING_NEW, changed = EVENT_FINDING_CHANGED;
    expect_requests(new, false, unknown, "C");
    expect_requests(changed, false, unknown, "CN");
    expect_requests(new, true, unknown, "");
    expect_requests(changed, true, unknown, "");
    expect_requests(new, false, trying, "C");
    expect_requests(changed, false, trying, "CN");
    expect_requests(changed, true, trying, "E");
    expect_requests(new, false, open, "C");
    expect_requests(new, false, low, "PC");
    expect_requests(changed, false, open, "N");
    expect_requests(changed, false, low, "PN");
    expect_requests(new, true, open, "E");
    expect_requests(changed, true, low, "E");
    expect_requests(new, false, closed, "C");
    expect_requests(changed, false, closed, "C");
    expect_requests(new, true, closed, "");
    expect_requests(changed, true, closed, "");
    expect_requests(new, false, doubt, "C");
    expect_requests(changed, false, doubt, "CN");
    expect_requests(changed, false, low_doubt, "PCN");
    expect_requests(new, false, low_doubt, "PC");
    expect_requests(changed, true, low_doubt, "E");
}

/* A change that is told in ACCEPTED requests, and then ANSWER. */
static struct dest_reference after(struct dest_reference before, int accepted, struct dest_response answer)
{
    struct talk t;
    begin(&t, EVENT_FINDING_CHANGED, false, before);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    for (; accepted > 0; accepted--)
        EXPECT_INT(talk_answered(&t, 202, ACCEPTED), DEST_SEND);
    EXPECT_INT(talk_next(&t, &answer), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_RETRY);
    EXPECT(!t.c.reference.known || strncmp(t.c.reference.key, "pencheff-", 9) == 0);
    struct dest_reference r = t.c.reference;
    r.key = r.title = NULL; /* they die with the conversation */
    talk_end(&t);
    return r;
}

static void what_was_done_before_a_failure_is_remembered(void)
{
    const struct dest_response busy = {.status = 429, .body = ""},
                               lost = {.error = ERROR_TIMEOUT, .body = "", .sent = true};
    const struct dest_reference low = told(true, false, SEVERITY_LOW),
                                doubt = told(false, true, SEVERITY_LOW);
    struct dest_reference r = after(low, 0, busy);
    EXPECT(r.known && r.open && !r.unsure && r.severity == SEVERITY_LOW);
    r = after(low, 0, lost);
    EXPECT(r.known && r.open && r.unsure && r.severity == SEVERITY_LOW);
    r = after(low, 1, busy);
    EXPECT(r.known && r.open && !r.unsure && r.severity == SEVERITY_HIGH);
    r = after(low, 1, lost); /* a note changes nothing */
    EXPECT(r.known && r.open && !r.unsure);
    r = after(unknown, 0, busy);
    EXPECT(!r.known && !r.unsure);
    r = after(unknown, 0, lost);
    EXPECT(!r.known && r.unsure);
    r = after(unknown, 1, busy);
    EXPECT(r.known && r.open && !r.unsure);
    r = after(doubt, 1, busy); /* it has its priority, but may be closed */
    EXPECT(r.known && r.unsure && r.severity == SEVERITY_LOW);
}

static void an_account_that_cannot_change_priorities_gets_the_note(void)
{
    static const struct {
        long status;
        bool goes_on;
    } cases[] = {{404, true},  {405, true},  {501, true}, {400, false},
                 {403, false}, {500, false}, {410, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin(&t, EVENT_FINDING_CHANGED, false, told(true, false, SEVERITY_LOW));
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(letter_of(&t, KEPT), 'P');
        EXPECT_INT(talk_answered(&t, cases[i].status, "{}"), cases[i].goes_on ? DEST_SEND : DEST_FINISHED);
        if (cases[i].goes_on) {
            EXPECT_INT(letter_of(&t, KEPT), 'N');
            EXPECT_INT(talk_answered(&t, 404, "{}"), DEST_FINISHED); /* of a note it is a failure */
        }
        EXPECT(t.job.verdict.kind == VERDICT_REJECTED || t.job.verdict.kind == VERDICT_RETRY);
        EXPECT_INT(t.c.reference.unsure, cases[i].status == 500);
        talk_end(&t);
    }
}

static void a_finding_that_is_over_in_any_way_closes_its_alert(void)
{
    static const char *const over[] = {"false_positive", "true_negative"};
    for (int way = 0; way < 3; way++) {
        struct talk t;
        begin(&t, EVENT_FINDING_CHANGED, false, told(true, false, SEVERITY_HIGH));
        t.facts.finding.resolved_at = way == 2 ? "2026-11-23T00:00:00Z" : NULL;
        if (way < 2)
            t.facts.finding.verification_status = over[way];
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_TEXT(t.request.url, ALERTS "/" KEPT "/close?identifierType=alias");
        EXPECT(strstr(t.request.body, way < 2 ? "\"Closed: false positive\\n" : "\"Closed: resolved\\n"));
        talk_end(&t);
    }
}

static void an_alias_that_is_none_of_ours_is_not_sent(void)
{
    struct talk t;
    char own[ALERT_KEY_TEXT];
    struct dest_reference before = told(true, false, SEVERITY_LOW);
    before.key = "../requests/x?a=\"";
    begin(&t, EVENT_FINDING_NEW, false, before);
    alert_key(&t.event, &t.facts, own);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(letter_of(&t, own), 'C');
    talk_end(&t);
    begin(&t, EVENT_FINDING_CHANGED, true, before);
    EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
    EXPECT(t.job.verdict.kind == VERDICT_NOTHING_TO_DO && !t.c.reference.known);
    talk_end(&t);
}

UNIT_MAIN(UNIT_CASE(an_alert_follows_its_finding), UNIT_CASE(what_was_done_before_a_failure_is_remembered),
          UNIT_CASE(an_account_that_cannot_change_priorities_gets_the_note),
          UNIT_CASE(a_finding_that_is_over_in_any_way_closes_its_alert),
          UNIT_CASE(an_alias_that_is_none_of_ours_is_not_sent))
