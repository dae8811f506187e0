/*
 * service_dry_run - what an export would send, without sending it
 *
 * Pure. Divides findings into conversations as a worker does that takes all of them from the mailbox at once (worker/mailbox.c),
 * and asks the destination for the first request of each, as if it had been told of none of them before. Nothing leaves.
 */
#include "api/service/service_dry_run.h"

#include <string.h>

#include "api/service/service_facts.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/json.h"

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
                                     .jobs = arena_alloc(&call->arena, (n + 1) * sizeof *out->jobs)};
    for (size_t i = 0; i < n && good; i++) {
        struct event *e = &out->events[i];
        struct facts *f = &out->facts[i];
        char finding[UUID_TEXT], *webhook_id = arena_alloc(&call->arena, 33);
        good = service_facts_read(&call->arena, json_object_array_get_idx(list, i), f);
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

/* Ask for the first request about COUNT jobs from JOBS on; why there is none, in words, or NULL. */
static const char *render(struct service_call *call, const struct dest *dest, const char *config,
                          const void *parsed, struct conversation_job *jobs, size_t count, size_t max_request)
{
    struct dest_body_cache cache;
    struct dest_request request;
    struct conversation c = {.config = parsed,
                             .jobs = jobs,
                             .job_count = count,
                             .attempt = 1,
                             .now_us = clock_wall_us(),
                             .cache = &cache,
                             .arena = &call->arena};
    memset(&request, 0, sizeof request);
    dest_body_cache_init(&cache, max_request);
    bool sends = dest->next(&c, NULL, &request) == DEST_SEND;
    if (sends)
        service_add_request(call, config, &request);
    dest_body_cache_free(&cache);
    if (sends)
        return NULL;
    return jobs[0].verdict.detail ? jobs[0].verdict.detail : "it cannot be told there";
}

void service_dry_run(struct service_call *call, const struct dest *dest, const char *config,
                     const void *parsed, struct service_exported *of, size_t meant,
                     const struct service_export_limits *limits)
{
    struct buf *out = &call->own->list;
    const char *why = NULL, *detail = NULL;
    size_t silent = 0, at = 0, begin = out->len;
    buf_json_open_list(out, "requests");
    for (int n = 0; at < of->count && n < DRY_RUN_REQUESTS && out->len - begin < DRY_RUN_BYTES; n++) {
        size_t count = service_exported_together(of, at, dest, limits);
        const char *none = render(call, dest, config, parsed, &of->jobs[at], count, limits->max_request);
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
