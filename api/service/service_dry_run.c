/*
 * service_dry_run - what an export would send, without sending it
 *
 * Pure. Divides findings into conversations as a worker does that takes all of them from the mailbox at once (worker/mailbox.c),
 * and asks the destination for the first request of each, by what it was told of them before. Nothing leaves.
 */
#include "api/service/service_dry_run.h"

#include <string.h>

#include "api/service/service_facts.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/json.h"

enum { STATE_TEXT_MAX = 64 };

static void read_told(struct arena *arena, struct json_object *of, struct service_told *out, struct facts *f)
{
    const char *state = json_get_text(arena, of, "state", STATE_TEXT_MAX);
    const char *severity = json_get_text(arena, of, "severity", STATE_TEXT_MAX);
    int rank = severity ? severity_parse(severity) : -1;
    struct dest_reference *r = &out->reference;
    memset(out, 0, sizeof *out);
    r->key = json_get_text(arena, of, "key", FACTS_TEXT_MAX);
    r->open = r->key && state && strcmp(state, "open") == 0;
    r->known = r->open || (r->key && state && strcmp(state, "closed") == 0);
    r->unsure_since_us = json_object_get_int64(json_get(of, "unsure_since"));
    r->unsure = r->unsure_since_us != 0;
    r->severity = rank < 0 ? SEVERITY_INFO : (enum severity)rank;
    r->title = json_get_text(arena, of, "title", FACTS_TEXT_MAX);
    out->overtaken = json_object_get_boolean(json_get(of, "overtaken"));
    f->fingerprint = json_get_text(arena, of, "fingerprint", SHA256_HEX);
}

bool service_exported_read(struct service_call *call, const char *facts, const char *export,
                           const struct uuid *integration, struct service_exported *out)
{
    const char *why;
    struct json_object *list = facts ? json_parse(facts, strlen(facts), &why) : NULL;
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    bool good = !facts || n > 0;
    *out = (struct service_exported){.count = n,
                                     .events = arena_alloc(&call->arena, (n + 1) * sizeof *out->events),
                                     .facts = arena_alloc(&call->arena, (n + 1) * sizeof *out->facts),
                                     .told = arena_alloc(&call->arena, (n + 1) * sizeof *out->told),
                                     .jobs = arena_alloc(&call->arena, (n + 1) * sizeof *out->jobs)};
    for (size_t i = 0; i < n && good; i++) {
        struct event *e = &out->events[i];
        struct facts *f = &out->facts[i];
        char finding[UUID_TEXT], *webhook_id = arena_alloc(&call->arena, 33);
        struct json_object *one = json_object_array_get_idx(list, i);
        good = service_facts_read(&call->arena, one, f);
        read_told(&call->arena, json_get(one, "reference"), &out->told[i], f);
        uuid_format(&f->finding.id, finding);
        memset(e, 0, sizeof *e);
        e->id = arena_printf(&call->arena, "export.%s.%s", export, finding);
        e->type = EVENT_FINDING_NEW;
        e->scan_id = f->scan.id;
        e->has_finding = true;
        e->finding_id = f->finding.id;
        e->first_seen_us = clock_wall_us();
        event_hash_content(e);
        dest_webhook_id(e->id, integration, webhook_id);
        out->jobs[i] = (struct conversation_job){.event = e, .facts = f, .webhook_id = webhook_id};
    }
    json_object_put(list);
    return good;
}

static bool belongs(const struct dest *dest, const struct conversation_job *a,
                    const struct conversation_job *b)
{
    return !dest->digests || uuid_equal(&a->event->scan_id, &b->event->scan_id);
}

size_t service_exported_together(struct service_exported *of, size_t first, const struct dest *dest,
                                 const struct service_export_limits *limits)
{
    size_t most = (size_t)limits->together, alike = 1, n = 1;
    if (dest->together_max <= 1 || most <= 1)
        return 1;
    for (size_t i = first + 1; i < of->count; i++)
        alike += belongs(dest, &of->jobs[first], &of->jobs[i]);
    if (alike < (dest->digests ? (size_t)limits->digest_above + 1 : 2))
        return 1;
    for (size_t i = first + 1; i < of->count && n < most; i++) {
        struct conversation_job job = of->jobs[i];
        if (!belongs(dest, &of->jobs[first], &job))
            continue;
        memmove(&of->jobs[first + n + 1], &of->jobs[first + n], (i - first - n) * sizeof job);
        of->jobs[first + n++] = job;
    }
    return n;
}

static struct service_told *told_of(const struct service_exported *of, const struct conversation_job *job)
{
    return &of->told[job->facts - of->facts];
}

/* Of COUNT jobs from FIRST on, those that nothing was told of come forward; how many they are. The others go by themselves. */
static size_t part_told(struct service_exported *of, size_t first, size_t count)
{
    size_t fresh = 0;
    for (size_t i = first; i < first + count; i++) {
        struct conversation_job job = of->jobs[i];
        const struct service_told *told = told_of(of, &job);
        if (told->reference.known || told->reference.unsure || told->overtaken)
            continue;
        memmove(&of->jobs[first + fresh + 1], &of->jobs[first + fresh], (i - first - fresh) * sizeof job);
        of->jobs[first + fresh++] = job;
    }
    return fresh;
}

/* Ask for the first request about COUNT jobs from JOBS on; why there is none, in words, or NULL. */
static const char *render(struct service_call *call, const struct dest *dest, const char *config,
                          const void *parsed, const struct service_exported *of,
                          struct conversation_job *jobs, size_t count, size_t max_request)
{
    struct dest_body_cache cache;
    struct dest_request request;
    const struct service_told *told = told_of(of, jobs);
    struct conversation c = {.config = parsed,
                             .jobs = jobs,
                             .job_count = count,
                             .attempt = 1,
                             .now_us = clock_wall_us(),
                             .cache = &cache,
                             .arena = &call->arena};
    if (dest->refers != DEST_REFERS_NEVER && told->overtaken)
        return "a later finding of the same weakness was told";
    if (dest->refers != DEST_REFERS_NEVER && count == 1)
        c.reference = told->reference;
    memset(&request, 0, sizeof request);
    dest_body_cache_init(&cache, max_request);
    bool sends = dest->next(&c, NULL, &request) == DEST_SEND;
    if (sends)
        service_add_request(call, config, &request);
    dest_body_cache_free(&cache);
    if (sends)
        return NULL;
    return jobs[0].verdict.detail  ? jobs[0].verdict.detail
           : told->reference.known ? "what stands there says it already"
                                   : "it cannot be told there";
}

void service_dry_run(struct service_call *call, const struct dest *dest, const char *config,
                     const void *parsed, struct service_exported *of, size_t meant,
                     const struct service_export_limits *limits)
{
    struct buf *out = &call->own->list;
    const char *why = NULL, *detail = NULL;
    size_t silent = 0, at = 0, alone = 0, begin = out->len;
    buf_json_open_list(out, "requests");
    for (int n = 0; at < of->count && n < DRY_RUN_REQUESTS && out->len - begin < DRY_RUN_BYTES; n++) {
        size_t count = 1;
        if (alone == 0) {
            size_t together = service_exported_together(of, at, dest, limits);
            size_t fresh = dest->refers == DEST_REFERS_NEVER ? together : part_told(of, at, together);
            count = fresh ? fresh : 1;
            alone = together - count;
        } else {
            alone--;
        }
        const char *none = render(call, dest, config, parsed, of, &of->jobs[at], count, limits->max_request);
        silent += none ? count : 0;
        why = none ? none : why;
        at += count;
    }
    buf_add_char(out, ']');
    if (at < meant)
        detail =
            arena_printf(&call->arena, "what is shown tells of the first %zu of %zu findings", at, meant);
    if (silent)
        detail = arena_printf(&call->arena, "%s%sof %zu nothing would be sent: %s", detail ? detail : "",
                              detail ? "; " : "", silent, why);
    buf_json_member(out, "detail", detail);
}
