/*
 * talk - an event, and a conversation with a destination about it
 */
#include "tests/unit/talk.h"

#include <string.h>

#include "common/base/check.h"
#include "tests/unit/unit.h"

static struct uuid id(const char *text)
{
    struct uuid u;
    check(uuid_parse(&u, text));
    return u;
}

struct facts talk_facts(void)
{
    struct facts f = {
        .scan = {.id = id(TALK_SCAN_ID),
                 .workspace_id = id(TALK_WORKSPACE_ID),
                 .status = "done",
                 .profile = "deep",
                 .grade = "C",
                 .has_score = true,
                 .score = 71,
                 .summary_json = "{\"high\": 2, \"low\": 0}",
                 .error = "row's error"},
        .target = {.id = id(TALK_TARGET_ID),
                   .name = "Shop",
                   .base_url = "https://shop.example",
                   .kind = "url"},
        .has_finding = true,
        .finding = {.id = id(TALK_FINDING_ID),
                    .pencheff_finding_id = "PF-1",
                    .title = "SQL \"injection\" </script>",
                    .severity_text = "High",
                    .severity = SEVERITY_HIGH,
                    .category = "sqli",
                    .owasp_category = "A03",
                    .cwe_id = "CWE-89",
                    .has_cvss_score = true,
                    .cvss_score = 7.5,
                    .cvss_vector = "CVSS:3.1/AV:N",
                    .endpoint = "/cart?id=1",
                    .parameter = "id",
                    .description = "line one\nline two",
                    .remediation = "bind",
                    .verification_status = "unverified",
                    .suppressed = true,
                    .suppress_reason = "duplicate",
                    .has_epss = true,
                    .epss = 0.97565,
                    .kev = true,
                    .has_risk_score = true,
                    .risk_score = 88,
                    .reachability = "reachable",
                    .resolved_at = "2026-11-23T00:00:00Z",
                    .created_at = "2026-11-22T00:00:00Z"},
    };
    return f;
}

struct facts talk_open_facts(void)
{
    struct facts f = talk_facts();
    f.finding.suppressed = false;
    f.finding.suppress_reason = f.finding.resolved_at = NULL;
    f.finding.verification_status = "true_positive";
    return f;
}

struct event talk_event(void)
{
    return (struct event){.id = "event-1",
                          .type = EVENT_FINDING_CHANGED,
                          .scan_id = id(TALK_SCAN_ID),
                          .has_finding = true,
                          .finding_id = id(TALK_FINDING_ID),
                          .change_summary = "verification_status: unverified → true_positive",
                          .first_seen_us = TALK_SEEN_US};
}

const void *talk_parse(struct arena *a, const char *kind, const char *json, struct dest_config_error *error)
{
    *error = (struct dest_config_error){.reason = REASON_NONE};
    return dest_find(kind)->config_parse(a, json, strlen(json), error);
}

void talk_begin(struct talk *t, const char *kind, const char *settings, const char *webhook_id, int64_t now_s)
{
    struct dest_config_error error;
    memset(t, 0, sizeof *t);
    t->dest = dest_find(kind);
    arena_init(&t->arena, 4096);
    t->event = talk_event();
    t->facts = talk_facts();
    dest_body_cache_init(&t->cache, 262144);
    t->job = (struct conversation_job){.event = &t->event, .facts = &t->facts, .webhook_id = webhook_id};
    t->c = (struct conversation){.config = talk_parse(&t->arena, kind, settings, &error),
                                 .jobs = &t->job,
                                 .job_count = 1,
                                 .attempt = 1,
                                 .now_us = now_s * 1000000 + 999999,
                                 .cache = &t->cache,
                                 .arena = &t->arena};
    EXPECT(t->c.config != NULL);
}

enum dest_next talk_next(struct talk *t, const struct dest_response *last)
{
    return t->dest->next(&t->c, last, &t->request);
}

struct dest_response talk_answer(long status, const char *body)
{
    return (struct dest_response){.status = status, .body = body, .body_size = strlen(body)};
}

enum dest_next talk_answered(struct talk *t, long status, const char *body)
{
    struct dest_response r = talk_answer(status, body);
    return talk_next(t, &r);
}

void talk_make_test(struct talk *t)
{
    t->job.event = NULL;
    t->job.facts = NULL;
    t->c.is_test = true;
}

void talk_end(struct talk *t)
{
    dest_body_cache_free(&t->cache);
    arena_wipe(&t->arena);
}

const char *talk_header(const struct talk *t, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < t->request.header_count; i++)
        if (strcmp(t->request.headers[i].name, name) == 0) {
            EXPECT(found == NULL);
            found = t->request.headers[i].value;
        }
    return found;
}

/* The bytes of the first request's body; 0 when it had not ROOM and was not sent. */
static size_t first_in_room(const char *kind, const char *settings, enum event_type type, bool over,
                            size_t room)
{
    struct talk t;
    talk_begin(&t, kind, settings, "abc", 1);
    t.event.type = type;
    t.facts.finding.suppressed = over;
    t.facts.finding.resolved_at = NULL;
    dest_body_cache_free(&t.cache);
    dest_body_cache_init(&t.cache, room);
    enum dest_next next = talk_next(&t, NULL);
    EXPECT(next == DEST_SEND || t.job.verdict.reason == REASON_TOO_LONG);
    size_t size = next == DEST_SEND ? t.request.body_size : 0;
    EXPECT(size <= room);
    talk_end(&t);
    return size;
}

void talk_expect_room(const char *kind, const char *settings)
{
    /* A kind that remembers sends nothing of a closed finding of which it never told. */
    int step = dest_find(kind)->refers == DEST_REFERS_NEVER ? 1 : 2;
    for (int i = 0; i < 2 * EVENT_TYPE_COUNT; i += step) {
        enum event_type type = (enum event_type)(i / 2);
        size_t whole = first_in_room(kind, settings, type, i % 2, 262144);
        EXPECT(whole > 0);
        for (size_t less = 0; less < whole; less += less < 32 ? 1 : (size_t)unit_step(61, 401))
            EXPECT_INT(first_in_room(kind, settings, type, i % 2, whole - less), less ? 0 : whole);
    }
}
