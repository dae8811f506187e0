/*
 * Which alert of a pager an event belongs to, and when nobody has to do anything about it any more.
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
    other.finding.title = "renamed";
    expect_key(&later, &other, key, true);
    other.target.id.bytes[0]++;
    expect_key(&later, &other, key, false);
    other = facts;
    other.finding.pencheff_finding_id = "PF-2";
    expect_key(&later, &other, key, false);
}

static void a_finding_that_is_not_known_again_is_its_row(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char key[ALERT_KEY_TEXT];
    facts.finding.pencheff_finding_id = NULL;
    alert_key(&event, &facts, key);
    event.type = EVENT_FINDING_NEW;
    event.id = "event-2";
    expect_key(&event, &facts, key, true);
    facts.finding.pencheff_finding_id = "";
    expect_key(&event, &facts, key, true);
    facts.finding.id.bytes[0]++;
    expect_key(&event, &facts, key, false);
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

static bool is_over(const char *status, bool suppressed, const char *resolved_at)
{
    struct facts_finding f = talk_facts().finding;
    f.verification_status = status;
    f.suppressed = suppressed;
    f.resolved_at = resolved_at;
    return alert_is_over(&f);
}

static void an_alert_is_over_when_its_finding_is_suppressed_resolved_or_no_real_one(void)
{
    static const char *const over[] = {"false_positive", "true_negative"};
    static const char *const open[] = {"unverified", "true_positive",   "false_negative",
                                       "",           "false_positive?", NULL};
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        EXPECT(!is_over(open[i], false, NULL));
        EXPECT(is_over(open[i], true, NULL) && is_over(open[i], false, "2026-11-23T00:00:00Z"));
    }
    for (size_t i = 0; i < sizeof over / sizeof over[0]; i++)
        EXPECT(is_over(over[i], false, NULL));
}

UNIT_MAIN(UNIT_CASE(an_alert_is_of_one_finding_of_one_target_in_every_scan),
          UNIT_CASE(a_finding_that_is_not_known_again_is_its_row),
          UNIT_CASE(each_event_of_a_scan_has_an_alert_of_its_own),
          UNIT_CASE(an_alert_is_over_when_its_finding_is_suppressed_resolved_or_no_real_one))
