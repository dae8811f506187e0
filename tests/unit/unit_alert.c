/*
 * Which alert an event belongs to.
 */
#include <string.h>

#include "common/destinations/alert.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static void expect_key(const struct event *event, const struct facts *facts, const char *than, bool same)
{
    char key[ALERT_KEY_TEXT];
    alert_key(event, facts, key);
    EXPECT_INT(strlen(key), ALERT_KEY_TEXT - 1);
    EXPECT(strncmp(key, "pencheff-", 9) == 0 && strspn(key + 9, "0123456789abcdef") == SHA256_HEX - 1);
    EXPECT((strcmp(key, than) == 0) == same);
}

static void an_alert_is_of_one_finding_of_one_target_in_every_scan(void)
{
    struct facts facts = talk_facts(), other = facts;
    struct event event = talk_event(), later = event;
    char key[ALERT_KEY_TEXT];
    alert_key(&event, &facts, key);
    later.type = EVENT_FINDING_NEW;
    later.id = "event-2";
    other.finding.id.bytes[0]++; /* found again by another scan: another row */
    other.scan.id.bytes[0]++;
    other.finding.severity = SEVERITY_INFO; /* and judged anew */
    other.finding.pencheff_finding_id = "PF-9";
    other.finding.description = "other words";
    expect_key(&later, &other, key, true);
    other.target.id.bytes[0]++;
    expect_key(&later, &other, key, false);
    other = facts;
    other.finding.title = "renamed";
    expect_key(&later, &other, key, false);
}

/* A text that goes on where the other ends is another. */
static void what_a_finding_says_of_itself_tells_it_from_others(void)
{
    struct facts facts = talk_facts(), other;
    struct event event = talk_event();
    char key[ALERT_KEY_TEXT];
    facts.finding.category = "ab";
    facts.finding.endpoint = "cd";
    facts.finding.parameter = NULL;
    alert_key(&event, &facts, key);
    other = facts;
    other.finding.parameter = "";
    expect_key(&event, &other, key, true);
    other.finding.parameter = "id";
    expect_key(&event, &other, key, false);
    other = facts;
    other.finding.category = "abc";
    other.finding.endpoint = "d";
    expect_key(&event, &other, key, false);
    other.finding.category = NULL;
    other.finding.endpoint = "abcd";
    expect_key(&event, &other, key, false);
}

static void a_fingerprint_is_of_a_weakness_or_of_one_event(void)
{
    struct facts facts = talk_facts(), other = facts;
    struct event event = talk_event(), later = event;
    char first[SHA256_HEX], second[SHA256_HEX], marker[ALERT_MARKER_TEXT];
    later.id = "event-2";
    other.finding.id.bytes[0]++;
    alert_fingerprint(&event, &facts, first);
    alert_fingerprint(&later, &other, second);
    EXPECT_TEXT(first, second);
    alert_marker(&event, &facts, marker);
    EXPECT(strncmp(marker, "pencheff", 8) == 0 && strncmp(marker + 8, first, 32) == 0 &&
           strlen(marker) == 40);
    event.type = later.type = EVENT_SCAN_FAILED;
    alert_fingerprint(&event, &facts, first);
    alert_fingerprint(&later, &facts, second);
    EXPECT(strcmp(first, second) != 0);
    later.id = event.id;
    alert_fingerprint(&later, &facts, second);
    EXPECT_TEXT(first, second);
}

static void each_event_of_a_scan_has_an_alert_of_its_own(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char started[ALERT_KEY_TEXT], failed[ALERT_KEY_TEXT];
    event.type = EVENT_SCAN_STARTED;
    alert_key(&event, &facts, started);
    expect_key(&event, &facts, started, true);
    event.type = EVENT_SCAN_FAILED;
    alert_key(&event, &facts, failed);
    expect_key(&event, &facts, started, false);
    facts.scan.id.bytes[0]++;
    expect_key(&event, &facts, failed, false);
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

static void only_the_name_of_a_findings_alert_has_its_form(void)
{
    static const char *const others[] = {"",
                                         "pencheff-",
                                         "pencheff-test",
                                         "pencheff-" DIGITS,
                                         "pencheff-" DIGITS "F",
                                         "pencheff-" DIGITS "ff",
                                         "Pencheff-" DIGITS "f",
                                         DIGITS "f",
                                         "pencheff-" DIGITS "/",
                                         "pencheff-" DIGITS "f\n",
                                         NULL};
    EXPECT(alert_is_key("pencheff-" DIGITS "f"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        EXPECT(!alert_is_key(others[i]));
}

static void a_finding_keeps_the_alert_under_which_it_was_told(void)
{
    struct talk t;
    char own[ALERT_KEY_TEXT];
    talk_begin(&t, "pagerduty", "{\"routing_key\":\"0123456789abcdef0123456789abcdef\"}", "abc", 1);
    alert_key(&t.event, &t.facts, own);
    EXPECT_TEXT(alert_key_kept(&t.c), own);
    t.c.reference = (struct dest_reference){.known = true, .open = true, .key = "pencheff-" DIGITS "0"};
    EXPECT_TEXT(alert_key_kept(&t.c), "pencheff-" DIGITS "0");
    EXPECT(t.c.reference.known && t.c.reference.open);
    t.c.reference = (struct dest_reference){
        .known = true, .open = true, .unsure = true, .unsure_since_us = 7, .key = "a", .title = "t"};
    EXPECT_TEXT(alert_key_kept(&t.c), own);
    EXPECT(!t.c.reference.known && !t.c.reference.key && !t.c.reference.open && !t.c.reference.title);
    EXPECT(t.c.reference.unsure && t.c.reference.unsure_since_us == 7);
    talk_end(&t);
}

UNIT_MAIN(UNIT_CASE(only_the_name_of_a_findings_alert_has_its_form),
          UNIT_CASE(a_finding_keeps_the_alert_under_which_it_was_told),
          UNIT_CASE(an_alert_is_of_one_finding_of_one_target_in_every_scan),
          UNIT_CASE(what_a_finding_says_of_itself_tells_it_from_others),
          UNIT_CASE(a_fingerprint_is_of_a_weakness_or_of_one_event),
          UNIT_CASE(each_event_of_a_scan_has_an_alert_of_its_own))
