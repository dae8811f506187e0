/*
 * The filters, and the reading of integrations from the database's text. Thousands of generated pairs are
 * compared with an independent reference in tests/scenario/test_match_reference.py; here stand the cases that
 * a person should be able to read.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/model/integration_read.h"
#include "common/model/match.h"
#include "tests/unit/unit.h"

#define TARGET_1 "11111111-1111-4111-8111-111111111111"
#define TARGET_2 "22222222-2222-4222-8222-222222222222"
#define NIL      "00000000-0000-0000-0000-000000000000"

/* An integration that fires for everything; a case changes one column. */
static const struct integration_columns open_columns = {
    .id = "33333333-3333-4333-8333-333333333333",
    .workspace_id = "44444444-4444-4444-8444-444444444444",
    .name = "#security",
    .kind = "webhook",
    .enabled = "t",
    .severity_filter = "info",
};

struct situation {
    enum event_type type;
    const char *severity; /* NULL: none */
    const char *target;
    const char *kind;
};

static const struct situation a_low_finding = {EVENT_FINDING_NEW, "low", TARGET_1, "url"};

static enum match_verdict verdict(const struct integration_columns *columns, struct situation s)
{
    struct integration integration;
    struct arena arena;
    arena_init(&arena, 4096);
    struct facts facts = {.target.kind = s.kind, .has_finding = event_is_about_finding(s.type)};
    check(uuid_parse(&facts.target.id, s.target));
    int severity = s.severity ? severity_parse(s.severity) : -1;
    facts.finding.severity = severity < 0 ? SEVERITY_INFO : (enum severity)severity;
    EXPECT(integration_read(&arena, &integration, columns));
    enum match_verdict out = match_integration(&integration, s.type, &facts);
    arena_free(&arena);
    return out;
}

static void expect_verdict(const struct integration_columns *columns, struct situation s,
                           enum match_verdict want)
{
    EXPECT_TEXT(match_verdict_name(verdict(columns, s)), match_verdict_name(want));
}

static void an_open_integration_fires_for_everything(void)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        expect_verdict(&open_columns, (struct situation){(enum event_type)type, NULL, TARGET_1, "llm"},
                       MATCH_FIRES);
}

static void a_disabled_integration_never_fires(void)
{
    struct integration_columns c = open_columns;
    static const char *const off[] = {"f", "false", "", NULL};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        c.enabled = off[i];
        expect_verdict(&c, a_low_finding, MATCH_DISABLED);
    }
}

static void targets_are_in_scope_when_listed_or_when_none_is_listed(void)
{
    static const struct {
        const char *column;
        enum match_verdict want;
    } cases[] = {
        {NULL, MATCH_FIRES},
        {"{}", MATCH_FIRES},
        {"{" TARGET_1 "}", MATCH_FIRES},
        {"{" TARGET_2 "," TARGET_1 "}", MATCH_FIRES},
        {"{\"" TARGET_1 "\"}", MATCH_FIRES},
        {"[0:1]={" TARGET_2 "," TARGET_1 "}", MATCH_FIRES},
        {"{NULL," TARGET_1 "}", MATCH_FIRES},
        {"{" TARGET_2 "}", MATCH_TARGET},
        {"{NULL}", MATCH_TARGET},
        {"{" NIL "}", MATCH_TARGET},
        {"{{" TARGET_1 "}}", MATCH_TARGET},
        {"{{" TARGET_1 "},{" TARGET_1 "}}", MATCH_TARGET},
        {"{" TARGET_1, MATCH_TARGET},
        {"{" TARGET_1 "}x", MATCH_TARGET},
        {"{" TARGET_1 ",}", MATCH_TARGET},
        {"{," TARGET_1 "}", MATCH_TARGET},
        {"{\"" TARGET_1 "}", MATCH_TARGET},
        {TARGET_1, MATCH_TARGET},
        {"", MATCH_TARGET},
        {"{", MATCH_TARGET},
        {"[0:1]", MATCH_TARGET},
        {"[0:1]=", MATCH_TARGET},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct integration_columns c = open_columns;
        c.target_ids = cases[i].column;
        if (verdict(&c, a_low_finding) != cases[i].want)
            unit_fail(__FILE__, __LINE__, "target_ids %s", cases[i].column);
    }
    struct integration_columns c = open_columns;
    c.target_ids = "{NULL}";
    expect_verdict(&c, (struct situation){EVENT_SCAN_DONE, NULL, NIL, "url"}, MATCH_TARGET);
}

static void events_pass_when_subscribed_or_when_none_is_listed(void)
{
    static const struct {
        const char *column;
        enum match_verdict want;
    } cases[] = {
        {NULL, MATCH_FIRES},
        {"{}", MATCH_FIRES},
        {"{finding_new}", MATCH_FIRES},
        {"{scan_done,finding_new}", MATCH_FIRES},
        {"{\"finding_new\"}", MATCH_FIRES},
        {"{\"finding\\_new\"}", MATCH_FIRES},
        {"{NULL,finding_new}", MATCH_FIRES},
        {"{scan_done}", MATCH_EVENT},
        {"{Finding_New}", MATCH_EVENT},
        {"{\"finding_new \"}", MATCH_EVENT},
        {"{NULL}", MATCH_EVENT},
        {"{\"a,finding_new\"}", MATCH_EVENT},
        {"{unheard_of}", MATCH_EVENT},
        {"{{finding_new}}", MATCH_EVENT},
        {"{finding_new", MATCH_EVENT},
        {"finding_new", MATCH_EVENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct integration_columns c = open_columns;
        c.events = cases[i].column;
        if (verdict(&c, a_low_finding) != cases[i].want)
            unit_fail(__FILE__, __LINE__, "events %s", cases[i].column);
    }
}

static void target_kinds_pass_when_listed_or_null_but_not_when_empty(void)
{
    static const struct {
        const char *column;
        enum match_verdict want;
    } cases[] = {
        {NULL, MATCH_FIRES},
        {"null", MATCH_FIRES},
        {"[\"url\"]", MATCH_FIRES},
        {"[\"repo\", null, 5, \"url\"]", MATCH_FIRES},
        {"[]", MATCH_TARGET_KIND},
        {"[\"repo\"]", MATCH_TARGET_KIND},
        {"[\"URL\"]", MATCH_TARGET_KIND},
        {"[[\"url\"]]", MATCH_TARGET_KIND},
        {"\"url\"", MATCH_TARGET_KIND},
        {"{\"url\": true}", MATCH_TARGET_KIND},
        {"true", MATCH_TARGET_KIND},
        {"[\"url\"", MATCH_TARGET_KIND},
        {"", MATCH_TARGET_KIND},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct integration_columns c = open_columns;
        c.target_kinds = cases[i].column;
        if (verdict(&c, a_low_finding) != cases[i].want)
            unit_fail(__FILE__, __LINE__, "target_kinds %s", cases[i].column);
    }
    struct integration_columns c = open_columns;
    c.target_kinds = "[\"url\"]";
    expect_verdict(&c, (struct situation){EVENT_SCAN_DONE, NULL, TARGET_1, NULL}, MATCH_TARGET_KIND);
}

static void severities_are_ordered_and_ignore_case(void)
{
    static const char *const words[] = {"info", "low", "medium", "high", "critical"};
    static const char *const shouted[] = {"INFO", "Low", "mEDIUM", "High", "CRITICAL"};
    for (int filter = 0; filter < 5; filter++)
        for (int severity = 0; severity < 5; severity++) {
            struct integration_columns c = open_columns;
            enum match_verdict want = severity >= filter ? MATCH_FIRES : MATCH_SEVERITY;
            c.severity_filter = words[filter];
            struct situation s = a_low_finding;
            s.severity = shouted[severity];
            expect_verdict(&c, s, want);
            c.severity_filter = shouted[filter];
            s.severity = words[severity];
            s.type = EVENT_FINDING_CHANGED;
            expect_verdict(&c, s, want);
        }
}

static void unknown_severities_count_as_info_and_unknown_filters_as_high(void)
{
    struct integration_columns c = open_columns;
    struct situation s = a_low_finding;
    static const char *const filters[] = {"", "none", " high", "hi", NULL};
    s.severity = "severe";
    expect_verdict(&c, s, MATCH_FIRES);
    c.severity_filter = "low";
    expect_verdict(&c, s, MATCH_SEVERITY);
    s.severity = NULL;
    expect_verdict(&c, s, MATCH_SEVERITY);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        c.severity_filter = filters[i];
        s.severity = "medium";
        expect_verdict(&c, s, MATCH_SEVERITY);
        s.severity = "high";
        expect_verdict(&c, s, MATCH_FIRES);
    }
}

static void scan_events_pass_the_severity_filter(void)
{
    struct integration_columns c = open_columns;
    c.severity_filter = "critical";
    for (int type = EVENT_SCAN_STARTED; type <= EVENT_SCAN_FAILED; type++)
        expect_verdict(&c, (struct situation){(enum event_type)type, NULL, TARGET_1, "url"}, MATCH_FIRES);
}

static void the_first_filter_that_holds_back_is_named(void)
{
    struct integration_columns c = {.id = open_columns.id,
                                    .workspace_id = open_columns.workspace_id,
                                    .enabled = "f",
                                    .severity_filter = "critical",
                                    .target_ids = "{" TARGET_2 "}",
                                    .events = "{scan_done}",
                                    .target_kinds = "[]"};
    expect_verdict(&c, a_low_finding, MATCH_DISABLED);
    c.enabled = "t";
    expect_verdict(&c, a_low_finding, MATCH_TARGET);
    c.target_ids = NULL;
    expect_verdict(&c, a_low_finding, MATCH_EVENT);
    c.events = NULL;
    expect_verdict(&c, a_low_finding, MATCH_TARGET_KIND);
    c.target_kinds = NULL;
    expect_verdict(&c, a_low_finding, MATCH_SEVERITY);
    c.severity_filter = "low";
    expect_verdict(&c, a_low_finding, MATCH_FIRES);
}

static void a_row_is_copied_whole(void)
{
    struct integration_columns c = open_columns;
    struct integration i;
    struct arena arena;
    char name[] = "name", kind[] = "slack", config[] = "\\x674141ff";
    arena_init(&arena, 4096);
    c.name = name;
    c.kind = kind;
    c.config_encrypted = config;
    EXPECT(integration_read(&arena, &i, &c));
    name[0] = kind[0] = config[2] = 'x';
    EXPECT_TEXT(i.name, "name");
    EXPECT_TEXT(i.kind, "slack");
    EXPECT_INT(i.config_size, 4);
    EXPECT(memcmp(i.config_encrypted, "gAA\xff", 4) == 0);
    EXPECT(i.dest == NULL && i.enabled && i.all_events && i.all_target_kinds && !i.target_ids);
    c.config_encrypted = "gAAAA_-=";
    EXPECT(integration_read(&arena, &i, &c));
    EXPECT(i.config_size == 8 && memcmp(i.config_encrypted, "gAAAA_-=", 8) == 0);
    c.config_encrypted = NULL;
    EXPECT(integration_read(&arena, &i, &c));
    EXPECT(!i.config_encrypted && i.config_size == 0);
    arena_free(&arena);
}

static void a_row_without_readable_ids_is_refused(void)
{
    struct integration i;
    struct arena arena;
    arena_init(&arena, 4096);
    for (int n = 0; n < 4; n++) {
        struct integration_columns c = open_columns;
        if (n < 2)
            c.id = n ? "x" : NULL;
        else
            c.workspace_id = n == 2 ? "" : NULL;
        EXPECT(!integration_read(&arena, &i, &c));
    }
    arena_free(&arena);
}

static void words_and_their_names_agree(void)
{
    for (int t = 0; t < EVENT_TYPE_COUNT; t++)
        EXPECT_INT(event_type_parse(event_type_name((enum event_type)t)), t);
    for (int r = 0; r < REASON_COUNT; r++)
        EXPECT_INT(reason_parse(reason_name((enum reason)r)), r);
    for (int s = 0; s < DELIVERY_STATE_COUNT; s++)
        EXPECT_INT(delivery_state_parse(delivery_state_name((enum delivery_state)s)), s);
    for (int s = 0; s < EVENT_STATE_COUNT; s++)
        EXPECT_INT(event_state_parse(event_state_name((enum event_state)s)), s);
    EXPECT_INT(event_type_parse("Scan_Done"), -1);
    EXPECT_INT(severity_parse("CRITICAL"), SEVERITY_CRITICAL);
    EXPECT_INT(severity_parse(""), -1);
}

UNIT_MAIN(UNIT_CASE(an_open_integration_fires_for_everything), UNIT_CASE(a_disabled_integration_never_fires),
          UNIT_CASE(targets_are_in_scope_when_listed_or_when_none_is_listed),
          UNIT_CASE(events_pass_when_subscribed_or_when_none_is_listed),
          UNIT_CASE(target_kinds_pass_when_listed_or_null_but_not_when_empty),
          UNIT_CASE(severities_are_ordered_and_ignore_case),
          UNIT_CASE(unknown_severities_count_as_info_and_unknown_filters_as_high),
          UNIT_CASE(scan_events_pass_the_severity_filter),
          UNIT_CASE(the_first_filter_that_holds_back_is_named), UNIT_CASE(a_row_is_copied_whole),
          UNIT_CASE(a_row_without_readable_ids_is_refused), UNIT_CASE(words_and_their_names_agree))
