/*
 * golden_tool - the requests that a destination makes of an event
 *
 * Reads one JSON object: {"kind", "settings", "event", "facts", "reference", "answers"}, or {"kind", "settings", "test": true,
 * "answers"} for a test, and prints the conversation: each
 * request as it would be sent (method and URL, headers, an empty line, the body), then what became of the
 * job. `event` and `facts` have the members of struct event and struct facts by name; what is left out is
 * absent. `also` is a list of findings, each by what it has that the first has not: all of them in one conversation. `reference` ({"key", "open", "unsure", "severity", "title"}) is what was told before; "key": null with "unsure" says
 * that something may have been made. `answers` are given one after the other; without them each request is answered with 200 and the
 * body "ok". Time, ids and the program's version are fixed, so the output is the same for ever. A case that
 * cannot be read, or settings that are refused, end it with status 1 and the reason. With --lines it reads one case from
 * each line, and ends what it prints of each with a line that holds U+001E only.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/dest.h"

enum { BODY_MAX = 262144, INPUT_MAX = 1 << 20, REQUESTS_MAX = 12, JOBS_MAX = 32 };

#define NOW_US INT64_C(1795312800000000) /* 2026-11-22T02:00:00Z */

static struct arena arena;

static _Noreturn void stop(const char *what, const char *which)
{
    fprintf(stderr, "golden_tool: %s: %s\n", what, which);
    exit(1);
}

/* ---- reading a case ---- */

enum member_type { TEXT, NUMBER, BOOL, ID };

struct member {
    const char *name;
    enum member_type type;
    size_t at;
    size_t has_at; /* of the flag that says it is there; 0: none */
};

#define MEMBER(s, n, t)                                                                                      \
    {                                                                                                        \
#n, t, offsetof(struct s, n), 0                                                                      \
    }
#define MAYBE(s, n)                                                                                          \
    {                                                                                                        \
#n, NUMBER, offsetof(struct s, n), offsetof(struct s, has_##n)                                       \
    }

static const struct member event_members[] = {MEMBER(event, id, TEXT),
                                              MEMBER(event, change_summary, TEXT),
                                              MEMBER(event, error, TEXT),
                                              {NULL, TEXT, 0, 0}};
static const struct member scan_members[] = {MEMBER(facts_scan, id, ID),
                                             MEMBER(facts_scan, workspace_id, ID),
                                             MEMBER(facts_scan, status, TEXT),
                                             MEMBER(facts_scan, profile, TEXT),
                                             MEMBER(facts_scan, grade, TEXT),
                                             MEMBER(facts_scan, error, TEXT),
                                             {NULL, TEXT, 0, 0}};
static const struct member target_members[] = {MEMBER(facts_target, id, ID),
                                               MEMBER(facts_target, name, TEXT),
                                               MEMBER(facts_target, base_url, TEXT),
                                               MEMBER(facts_target, kind, TEXT),
                                               {NULL, TEXT, 0, 0}};
static const struct member finding_members[] = {MEMBER(facts_finding, id, ID),
                                                MEMBER(facts_finding, pencheff_finding_id, TEXT),
                                                MEMBER(facts_finding, title, TEXT),
                                                MEMBER(facts_finding, severity_text, TEXT),
                                                MEMBER(facts_finding, category, TEXT),
                                                MEMBER(facts_finding, owasp_category, TEXT),
                                                MEMBER(facts_finding, cwe_id, TEXT),
                                                MAYBE(facts_finding, cvss_score),
                                                MEMBER(facts_finding, cvss_vector, TEXT),
                                                MEMBER(facts_finding, endpoint, TEXT),
                                                MEMBER(facts_finding, parameter, TEXT),
                                                MEMBER(facts_finding, description, TEXT),
                                                MEMBER(facts_finding, remediation, TEXT),
                                                MEMBER(facts_finding, verification_status, TEXT),
                                                MEMBER(facts_finding, suppressed, BOOL),
                                                MEMBER(facts_finding, suppress_reason, TEXT),
                                                MAYBE(facts_finding, epss),
                                                MEMBER(facts_finding, kev, BOOL),
                                                MAYBE(facts_finding, risk_score),
                                                MEMBER(facts_finding, reachability, TEXT),
                                                MEMBER(facts_finding, resolved_at, TEXT),
                                                MEMBER(facts_finding, created_at, TEXT),
                                                {NULL, TEXT, 0, 0}};

static const char *text_of(struct json_object *value, const char *name)
{
    if (!json_is_text(value))
        stop("no text", name);
    return arena_strdup(&arena, json_object_get_string(value));
}

static void read_member(void *out, const struct member *m, struct json_object *value)
{
    char *at = (char *)out + m->at;
    switch (m->type) {
    case TEXT:
        *(const char **)(void *)at = text_of(value, m->name);
        break;
    case NUMBER:
        *(double *)(void *)at = json_object_get_double(value);
        *((bool *)out + m->has_at) = true;
        break;
    case BOOL:
        *(bool *)(void *)at = json_object_get_boolean(value);
        break;
    case ID:
        if (!uuid_parse((struct uuid *)(void *)at, text_of(value, m->name)))
            stop("no UUID", m->name);
    }
}

/* Members that are not in the table, besides those in ALSO, are a mistake in the case. */
static void read_members(void *out, struct json_object *object, const struct member *members,
                         const char *also)
{
    if (!object)
        return;
    json_object_object_foreach(object, name, value)
    {
        const struct member *m = members;
        while (m->name && strcmp(m->name, name) != 0)
            m++;
        if (m->name && value)
            read_member(out, m, value);
        else if (!m->name && !strstr(also, name))
            stop("no such member", name);
    }
}

static void read_facts(struct json_object *root, struct facts *facts)
{
    struct json_object *scan = json_get(root, "scan"), *finding = json_get(root, "finding");
    struct json_object *summary = json_get(scan, "summary"), *score = json_get(scan, "score");
    struct facts_finding *f = &facts->finding;
    read_members(&facts->scan, scan, scan_members, "summary score");
    read_members(&facts->target, json_get(root, "target"), target_members, "");
    read_members(f, finding, finding_members, "");
    facts->scan.summary_json = summary ? arena_strdup(&arena, json_object_to_json_string(summary)) : NULL;
    facts->scan.has_score = score != NULL;
    facts->scan.score = score ? (long)json_object_get_int64(score) : 0;
    facts->has_finding = finding != NULL;
    int severity = f->severity_text ? severity_parse(f->severity_text) : -1;
    f->severity = severity < 0 ? SEVERITY_INFO : (enum severity)severity;
}

static void read_event(struct json_object *root, const struct facts *facts, struct event *event)
{
    int type = event_type_parse(text_of(json_get(root, "type"), "type"));
    if (type < 0)
        stop("no such event", json_object_to_json_string(root));
    read_members(event, root, event_members, "type");
    event->type = (enum event_type)type;
    event->scan_id = facts->scan.id;
    event->has_finding = facts->has_finding;
    event->finding_id = facts->finding.id;
    event->first_seen_us = INT64_C(1795312755291998); /* 2026-11-22T01:59:15.291Z */
}

/* ---- the conversation ---- */

/* Our version is not printed: it would change every case at every release. */
static void print_header(const struct dest_header *h)
{
    const char *version = strcmp(h->name, "User-Agent") == 0 ? strstr(h->value, NOTIFY_VERSION) : NULL;
    if (version)
        printf("%s: %.*sVERSION%s\n", h->name, (int)(version - h->value), h->value,
               version + strlen(NOTIFY_VERSION));
    else
        printf("%s: %s\n", h->name, h->value);
}

static void print_request(const struct dest_request *r)
{
    printf("%s %s%s\n", r->method, r->url, r->once ? " (once)" : "");
    for (size_t i = 0; i < r->header_count; i++)
        print_header(&r->headers[i]);
    printf("\n%.*s\n\n", (int)r->body_size, r->body ? r->body : "");
}

static void print_verdict(const struct verdict *v)
{
    static const char *const kinds[] = {"none", "delivered", "retry", "rejected", "nothing to do", "again"};
    printf("= %s", kinds[v->kind]);
    if (v->kind == VERDICT_REJECTED)
        printf(", %s", reason_name(v->reason));
    if (v->error != ERROR_NONE)
        printf(", %s", error_word_name(v->error));
    if (v->not_before > 0)
        printf(", not before %g s", v->not_before);
    printf("%s%s\n", v->detail ? ": " : "", v->detail ? v->detail : "");
}

/* Names that no destination reads are a mistake in the case. */
static void read_fields(struct json_object *headers, struct dest_response *out)
{
    static const char *const names[ANSWER_FIELD_COUNT] = {
#define FIELD_NAME(symbol, name) [ANSWER_##symbol] = (name),
        DEST_ANSWER_FIELDS(FIELD_NAME)};
    if (!headers)
        return;
    json_object_object_foreach(headers, name, value)
    {
        int i = 0;
        while (i < ANSWER_FIELD_COUNT && strcmp(names[i], name) != 0)
            i++;
        if (i == ANSWER_FIELD_COUNT)
            stop("no such header field", name);
        out->fields[i] = text_of(value, name);
    }
}

static bool is_true(struct json_object *object, const char *name)
{
    return json_object_get_boolean(json_get(object, name));
}

static void read_answer(struct json_object *answers, size_t index, struct dest_response *out)
{
    struct json_object *one = answers ? json_object_array_get_idx(answers, index) : NULL;
    struct json_object *status = json_get(one, "status"), *body = json_get(one, "body");
    if (answers && !one)
        stop("more requests than answers", "");
    *out = (struct dest_response){.status = status ? json_object_get_int(status) : 200,
                                  .body = one && !body ? ""
                                          : body       ? text_of(body, "body")
                                                       : "ok",
                                  .sent = is_true(one, "sent"),
                                  .retry_after = json_object_get_double(json_get(one, "retry_after"))};
    struct json_object *error = json_get(one, "error");
    if (error) {
        int word = error_word_parse(text_of(error, "error"));
        if (word <= 0)
            stop("no such error", json_object_get_string(error));
        out->error = (enum error_word)word;
        out->status = 0;
    }
    out->body_size = strlen(out->body);
    out->received_us = NOW_US;
    read_fields(json_get(one, "headers"), out);
}

/* ---- what was told before ---- */

static void read_reference(struct json_object *r, struct dest_reference *out)
{
    struct json_object *key = json_get(r, "key"), *severity = json_get(r, "severity"),
                       *title = json_get(r, "title");
    *out = (struct dest_reference){.open = is_true(r, "open"), .unsure = is_true(r, "unsure")};
    out->known = json_is_text(key);
    out->key = out->known ? text_of(key, "key") : NULL;
    out->title = title ? text_of(title, "title") : NULL;
    out->unsure_since_us = out->unsure ? NOW_US - INT64_C(600000000) : 0;
    int n = severity ? severity_parse(text_of(severity, "severity")) : -1;
    out->severity = n < 0 ? SEVERITY_INFO : (enum severity)n;
}

static bool keeps_reference(const struct dest *dest, const struct event *event)
{
    return event && (dest->refers == DEST_REFERS_ALWAYS ||
                     (dest->refers == DEST_REFERS_FINDINGS && event_is_about_finding(event->type)));
}

static void print_reference(const struct dest_reference *r)
{
    printf("reference: %s%s%s\n", r->known ? r->key : "none",
           !r->known ? ""
           : r->open ? ", open"
                     : ", closed",
           r->unsure ? ", unsure" : "");
}

static void print_verdicts(const struct conversation *c)
{
    for (size_t i = 1; i < c->job_count; i++)
        if (c->jobs[i].verdict.kind != c->jobs[0].verdict.kind)
            stop("they have not all the same verdict", "");
    print_verdict(&c->jobs[0].verdict);
}

static void talk(const struct dest *dest, struct conversation *c, struct json_object *answers)
{
    struct dest_request request;
    struct dest_response answer, *last = NULL;
    for (size_t i = 0; dest->next(c, last, &request) == DEST_SEND; i++) {
        if (i == REQUESTS_MAX)
            stop("the conversation does not end", dest->kind);
        print_request(&request);
        read_answer(answers, i, &answer);
        last = &answer;
    }
    print_verdicts(c);
    if (c->job_count == 1 && keeps_reference(dest, c->jobs[0].event))
        print_reference(&c->reference);
}

/* The conversation is about these findings, too. */
static void read_more(struct json_object *also, struct conversation *c)
{
    size_t n = also ? json_object_array_length(also) : 0;
    if (n == 0)
        return;
    struct conversation_job *jobs = arena_alloc(&arena, JOBS_MAX * sizeof *jobs);
    struct facts *facts = arena_alloc(&arena, JOBS_MAX * sizeof *facts);
    jobs[0] = c->jobs[0];
    for (size_t i = 1; i <= n && i < JOBS_MAX; i++) {
        facts[i] = *c->jobs[0].facts;
        read_members(&facts[i].finding, json_object_array_get_idx(also, i - 1), finding_members, "");
        int severity = facts[i].finding.severity_text ? severity_parse(facts[i].finding.severity_text) : -1;
        facts[i].finding.severity = severity < 0 ? SEVERITY_INFO : (enum severity)severity;
        jobs[i] = (struct conversation_job){
            .event = jobs[0].event, .facts = &facts[i], .webhook_id = "0123456789abcdef"};
    }
    c->jobs = jobs;
    c->job_count = n + 1 < JOBS_MAX ? n + 1 : JOBS_MAX;
}

static void run_case(struct json_object *root)
{
    const struct dest *dest = dest_find(text_of(json_get(root, "kind"), "kind"));
    struct facts facts = {0};
    struct event event = {0};
    struct dest_config_error error;
    struct dest_body_cache cache;
    struct conversation_job job = {.event = &event, .facts = &facts, .webhook_id = "0123456789abcdef"};
    struct conversation c = {.jobs = &job, .job_count = 1, .attempt = 1, .cache = &cache, .arena = &arena};
    if (!dest)
        stop("no such kind", json_object_to_json_string(json_get(root, "kind")));
    if (json_get(root, "test")) {
        job.event = NULL;
        job.facts = NULL;
        c.is_test = true;
    } else {
        read_facts(json_get(root, "facts"), &facts);
        read_event(json_get(root, "event"), &facts, &event);
    }
    read_more(json_get(root, "also"), &c);
    const char *settings = json_object_to_json_string(json_get(root, "settings"));
    c.config = dest->config_parse(&arena, settings, strlen(settings), &error);
    if (!c.config)
        stop("settings refused", error.detail);
    c.now_us = NOW_US;
    read_reference(json_get(root, "reference"), &c.reference);
    dest_body_cache_init(&cache, BODY_MAX);
    talk(dest, &c, json_get(root, "answers"));
    dest_body_cache_free(&cache);
}

static void run(const char *text, size_t n)
{
    const char *why = "";
    struct json_object *root = json_parse(text, n, &why);
    if (!root)
        stop("the case is no JSON", why);
    arena_init(&arena, 65536);
    run_case(root);
    arena_free(&arena);
    json_object_put(root);
}

int main(int argc, char **argv)
{
    static char input[INPUT_MAX];
    if (argc == 1) {
        run(input, fread(input, 1, sizeof input, stdin));
        return 0;
    }
    if (argc != 2 || strcmp(argv[1], "--lines") != 0)
        stop("unknown option", argv[1]);
    while (fgets(input, sizeof input, stdin)) {
        run(input, strlen(input));
        puts("\x1e");
    }
    return 0;
}
