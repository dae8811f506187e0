/*
 * The product's words, signs and colours, to the letter.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/destinations/wording.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static void expect_line(const struct event *event, const struct facts *facts, const char *headline,
                        const char *rest)
{
    struct buf b;
    buf_init(&b, 20000);
    wording_add_headline(&b, event, facts);
    EXPECT_TEXT(buf_text(&b), headline);
    buf_add_text(&b, rest);
    char *want = mem_strdup(buf_text(&b));
    buf_reset(&b);
    wording_add_line(&b, event, facts);
    EXPECT_TEXT(buf_text(&b), want);
    free(want);
    buf_free(&b);
}

static void each_event_has_its_line(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    expect_line(&event, &facts, "🔁 Finding updated — SQL \"injection\" </script>",
                ": verification_status: unverified → true_positive");
    event.type = EVENT_FINDING_NEW;
    expect_line(&event, &facts, "🔴 [HIGH] CVSS 7.5 — SQL \"injection\" </script>", "\n/cart?id=1");
    event.type = EVENT_SCAN_STARTED;
    expect_line(&event, &facts, "🚀 Scan started — Shop [deep]", "");
    event.type = EVENT_SCAN_DONE;
    expect_line(&event, &facts, "✅ Scan done — Shop · Grade C · 2 high", "");
    event.type = EVENT_SCAN_FAILED;
    event.error = "boom";
    expect_line(&event, &facts, "❌ Scan failed — Shop", ": boom");
    event.error = NULL;
    expect_line(&event, &facts, "❌ Scan failed — Shop", ": row's error");
}

static void what_is_not_known_is_left_out_with_its_word(void)
{
    struct facts facts = {.has_finding = true};
    struct event event = {.type = EVENT_FINDING_NEW};
    expect_line(&event, &facts, "🔵 [INFO] — untitled finding", "");
    event.type = EVENT_FINDING_CHANGED;
    expect_line(&event, &facts, "🔁 Finding updated — untitled finding", "");
    event.type = EVENT_SCAN_STARTED;
    expect_line(&event, &facts, "🚀 Scan started — unnamed target", "");
    event.type = EVENT_SCAN_DONE;
    expect_line(&event, &facts, "✅ Scan done — unnamed target · no findings", "");
    event.type = EVENT_SCAN_FAILED;
    expect_line(&event, &facts, "❌ Scan failed — unnamed target", "");
    facts.target.base_url = "https://shop.example";
    facts.target.name = " \xe2\x80\x8b";
    expect_line(&event, &facts, "❌ Scan failed — https://shop.example", "");
}

static void an_error_is_shown_up_to_200_characters(void)
{
    char error[1000] = "", want[1000] = ": ";
    struct facts facts = talk_facts();
    struct event event = {.type = EVENT_SCAN_FAILED, .error = error};
    for (int i = 0; i < 200; i++)
        strcat(error, "ä");
    strcat(want, error);
    expect_line(&event, &facts, "❌ Scan failed — Shop", want);
    strcat(error, "x");
    want[2 + 199 * strlen("ä")] = 0;
    strcat(want, "…");
    expect_line(&event, &facts, "❌ Scan failed — Shop", want);
}

static void hostile_text_stays_on_its_line(void)
{
    struct facts facts = talk_facts();
    struct event event = {.type = EVENT_FINDING_NEW};
    facts.finding.title = "XSS\n\n✅ Scan done — all good\r\n";
    facts.finding.endpoint = "/a\n/b\xe2\x80\xae";
    expect_line(&event, &facts, "🔴 [HIGH] CVSS 7.5 — XSS ✅ Scan done — all good", "\n/a /b");
}

static void a_score_that_is_none_is_not_shown(void)
{
    static const double none[] = {NAN, INFINITY, -INFINITY, -1, 10.1, 1e300};
    struct facts facts = talk_facts();
    struct event event = {.type = EVENT_FINDING_NEW};
    facts.finding.title = "T";
    facts.finding.endpoint = NULL;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        facts.finding.cvss_score = none[i];
        expect_line(&event, &facts, "🔴 [HIGH] — T", "");
    }
    facts.finding.cvss_score = 10;
    expect_line(&event, &facts, "🔴 [HIGH] CVSS 10.0 — T", "");
    facts.finding.cvss_score = -0.0;
    expect_line(&event, &facts, "🔴 [HIGH] CVSS 0.0 — T", "");
}

static void severities_have_their_signs_and_colours(void)
{
    static const struct {
        enum severity severity;
        const char *sign, *word;
        uint32_t colour;
    } cases[] = {
        {SEVERITY_CRITICAL, "🚨", "🚨 [CRITICAL] — T", 0xDC2626},
        {SEVERITY_HIGH, "🔴", "🔴 [HIGH] — T", 0xEF4444},
        {SEVERITY_MEDIUM, "🟠", "🟠 [MEDIUM] — T", 0xF59E0B},
        {SEVERITY_LOW, "🟡", "🟡 [LOW] — T", 0x3B82F6},
        {SEVERITY_INFO, "🔵", "🔵 [INFO] — T", 0x6B7280},
    };
    struct event event = {.type = EVENT_FINDING_NEW};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct facts facts = {.finding = {.title = "T", .severity = cases[i].severity}};
        EXPECT_TEXT(wording_sign(cases[i].severity), cases[i].sign);
        EXPECT_INT(wording_severity_colour(cases[i].severity), cases[i].colour);
        EXPECT_INT(wording_event_colour(&event, &facts), cases[i].colour);
        expect_line(&event, &facts, cases[i].word, "");
    }
}

static void expect_counts(const char *summary, const char *want, uint32_t colour)
{
    struct facts facts = {.scan.summary_json = summary};
    struct event event = {.type = EVENT_SCAN_DONE};
    struct buf b;
    buf_init(&b, 1000);
    wording_add_counts(&b, &facts);
    EXPECT_TEXT(buf_text(&b), want);
    EXPECT_INT(wording_event_colour(&event, &facts), colour);
    buf_free(&b);
}

static void counts_are_worst_first_without_zeros(void)
{
    expect_counts("{\"low\": 11, \"high\": 2, \"critical\": 0, \"medium\": 12}", "2 high, 12 medium, 11 low",
                  0xEF4444);
    expect_counts("{\"info\":5,\"low\":4,\"medium\":3,\"high\":2,\"critical\":1}",
                  "1 critical, 2 high, 3 medium, 4 low, 5 info", 0xDC2626);
    expect_counts("{\"Medium\": 3.0, \"total\": 9, \"scores\": {\"high\": 4}}", "3 medium", 0xF59E0B);
    expect_counts("{\"high\": 0}", "no findings", 0x6B7280);
    expect_counts("{\"high\": -1, \"low\": null, \"medium\": \"7\", \"info\": true, \"critical\": NaN}",
                  "no findings", 0x6B7280);
    expect_counts("{\"high\": Infinity, \"low\": 1e300, \"info\": 9223372036854775807}", "no findings",
                  0x6B7280);
    expect_counts("{}", "no findings", 0x6B7280);
    expect_counts("[1]", "no findings", 0x6B7280);
    expect_counts("{\"high\": 1", "no findings", 0x6B7280);
    expect_counts(NULL, "no findings", 0x6B7280);
}

static void events_of_scans_have_colours_too(void)
{
    struct facts facts = talk_facts();
    struct event event = {.type = EVENT_SCAN_STARTED};
    EXPECT_INT(wording_event_colour(&event, &facts), 0x6B7280);
    event.type = EVENT_SCAN_FAILED;
    EXPECT_INT(wording_event_colour(&event, &facts), 0xDC2626);
    event.type = EVENT_FINDING_CHANGED;
    EXPECT_INT(wording_event_colour(&event, &facts), 0xEF4444);
}

UNIT_MAIN(UNIT_CASE(each_event_has_its_line), UNIT_CASE(what_is_not_known_is_left_out_with_its_word),
          UNIT_CASE(an_error_is_shown_up_to_200_characters), UNIT_CASE(hostile_text_stays_on_its_line),
          UNIT_CASE(a_score_that_is_none_is_not_shown), UNIT_CASE(severities_have_their_signs_and_colours),
          UNIT_CASE(counts_are_worst_first_without_zeros), UNIT_CASE(events_of_scans_have_colours_too))
