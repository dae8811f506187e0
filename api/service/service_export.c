/*
 * service_export - the calls that send findings to one integration
 *
 * An export makes rows and sends nothing: a worker finds them in the mailbox. Its answer is kept under an Idempotency-Key as that
 * of a creation is. A dry run makes nothing, and renders what would be sent from the same choice of findings.
 */
#include "api/service/service_export.h"

#include <stdlib.h>
#include <string.h>

#include "api/service/service_dry_run.h"
#include "common/base/check.h"
#include "common/base/json.h"

const struct service_field service_export_fields[EXPORT_FIELD_COUNT] = {
    [EXPORT_KIND] = {"kind", FORM_KIND, FIELD_REQUIRED, NULL, false,
                     "Where it leads: one of the kinds of destinations."},
    [EXPORT_CONFIG] = {"config", FORM_CONFIG, FIELD_REQUIRED, NULL, false,
                       "The settings of its kind. Used once, and not stored."},
    [EXPORT_SCAN] = {"scan_id", FORM_UUID, FIELD_NULLABLE, NULL, false,
                     "The scan whose findings are sent; else name them in finding_ids."},
    [EXPORT_FINDINGS] = {"finding_ids", FORM_FINDINGS, FIELD_NULLABLE, NULL, false,
                         "The findings that are sent, 1 to 500; else name their scan in scan_id."},
    [EXPORT_SEVERITY] = {"severity", FORM_SEVERITY, 0, "info", false, "Findings below it are left out."},
    [EXPORT_DRY_RUN] = {"dry_run", FORM_BOOL, 0, "false", false,
                        "Send nothing, and show what would be sent."},
};

enum {
    DRY_FACTS = 50, /* findings that a dry run tells of, where each has its own conversation; ours */
    DRY_FACTS_MANY = DEST_DIGEST_MAX, /* where they may share one */
};

/* ---- what is asked ---- */

struct wanted {
    const char *values[EXPORT_FIELD_COUNT];
    const char *rank, *most, *dry_run;
};

/* The fields from FIRST on; false: the call is over. */
static bool read_wanted(struct service_call *call, const char *body, size_t size,
                        enum service_export_field first, const struct service_export_limits *limits,
                        struct wanted *out)
{
    bool sent[EXPORT_FIELD_COUNT];
    memset(out, 0, sizeof *out);
    service_members_read(call, body, size, service_export_fields + first, EXPORT_FIELD_COUNT - first, true,
                         sent, out->values + first);
    if (call->status == SERVICE_UNFINISHED && !out->values[EXPORT_SCAN] == !out->values[EXPORT_FINDINGS])
        service_wrong(call, "scan_id", "name either a scan in scan_id, or findings in finding_ids");
    if (call->status != SERVICE_UNFINISHED)
        return false;
    out->rank = arena_printf(&call->arena, "%d", severity_parse(out->values[EXPORT_SEVERITY]));
    out->most = arena_printf(&call->arena, "%ld", limits->most);
    out->dry_run = out->values[EXPORT_DRY_RUN];
    call->own->limits = limits;
    call->own->is_dry_run = strcmp(out->dry_run, "true") == 0;
    return true;
}

/* ---- what came of it ---- */

static const char *value_of(const PGresult *rows, int column)
{
    return PQgetisnull(rows, 0, column) ? NULL : PQgetvalue(rows, 0, column);
}

static size_t meant(const PGresult *rows)
{
    return (size_t)strtol(PQgetvalue(rows, 0, API_EXPORT_MEANT), NULL, 10);
}

/* Whether there is something of which an export can be made; else the call is over. */
static bool is_meant(struct service_call *call, const PGresult *rows)
{
    const char *unknown = value_of(rows, API_EXPORT_UNKNOWN);
    if (*PQgetvalue(rows, 0, API_EXPORT_SCAN) != 't') {
        service_wrong(call, "scan_id", "there is no such scan in this workspace");
    } else if (meant(rows) > (size_t)call->own->limits->most) {
        service_wrong(call, "scan_id",
                      arena_printf(&call->arena,
                                   "there are more than %ld findings (%s); name those that are to be sent in "
                                   "finding_ids",
                                   call->own->limits->most, call->own->limits->most_setting));
    } else if (unknown) {
        service_wrong(call, "finding_ids",
                      arena_printf(&call->arena,
                                   "finding_ids holds what is no finding of this workspace: %.400s",
                                   unknown));
    }
    return call->status == SERVICE_UNFINISHED;
}

/* Whether the integration can be sent to; else the call is over. */
static bool is_usable(struct service_call *call, const PGresult *rows)
{
    const char *kind = value_of(rows, API_EXPORT_KIND);
    if (!kind)
        service_not_found(call);
    else if (*PQgetvalue(rows, 0, API_EXPORT_ENABLED) != 't')
        service_refuse(call, SERVICE_CONFLICT,
                       "the integration is disabled, and sends nothing; enable it first");
    else if (!dest_find(kind))
        service_refuse(
            call, SERVICE_CONFLICT,
            "this version does not know the kind of this integration, so it cannot send with it; update it");
    return call->status == SERVICE_UNFINISHED;
}

static void show_requests(struct service_call *call, const PGresult *rows, const struct dest *dest,
                          const char *config, const void *parsed, const struct uuid *integration)
{
    struct service_exported of;
    const char *body = PQgetvalue(rows, 0, API_EXPORT_BODY);
    if (!service_exported_read(call, value_of(rows, API_EXPORT_FACTS), call->own->id, integration, &of)) {
        service_refuse(call, SERVICE_CONFLICT, "the findings changed meanwhile; send the request again");
        return;
    }
    buf_add(&call->own->list, body, strlen(body) - 1); /* without the brace that ends it */
    service_dry_run(call, dest, config, parsed, &of, meant(rows), call->own->limits);
    buf_add_char(&call->own->list, '}');
    service_answer_list(call);
}

static void dry_run_finish(struct service_call *call, const PGresult *rows)
{
    const struct dest *dest = dest_find(PQgetvalue(rows, 0, API_EXPORT_KIND));
    const char *sealed = value_of(rows, API_EXPORT_SEALED), *why = "none are stored";
    struct dest_config_error error = {.detail = ""};
    struct uuid integration;
    size_t size = 0;
    const char *config = sealed ? service_open_settings(call, sealed, &size, &why) : NULL;
    const void *parsed = config ? dest->config_parse(&call->arena, config, size, &error) : NULL;
    if (!parsed)
        service_unusable(call, config ? error.detail : why);
    else if (uuid_parse(&integration, call->own->integration))
        show_requests(call, rows, dest, config, parsed, &integration);
}

/* What is refused now may have been done by a first try of it, of which nobody heard. */
static void export_finish(struct service_call *call)
{
    const PGresult *rows = call->own->kept[call->own->answer];
    const char *hash = value_of(rows, API_EXPORT_KEPT_HASH), *kept = value_of(rows, API_EXPORT_KEPT_BODY);
    const char *body = value_of(rows, API_EXPORT_BODY);
    call->own->undone = !call->own->is_dry_run && !body && !kept;
    if (!call->own->is_dry_run && hash && strcmp(hash, call->own->body_hash) != 0)
        service_refuse(
            call, SERVICE_CONFLICT,
            "this Idempotency-Key came with another request before; use a new one for a new request");
    else if (!call->own->is_dry_run && !body && kept) {
        call->repeated = true;
        call->body = arena_strdup(&call->arena, kept);
        call->status = SERVICE_OK;
    } else if (!is_usable(call, rows) || !is_meant(call, rows)) {
        return;
    } else if (call->own->is_dry_run) {
        dry_run_finish(call, rows);
    } else if (body) {
        call->body = arena_strdup(&call->arena, body);
        call->status = SERVICE_OK;
    } else {
        service_refuse(call, SERVICE_CONFLICT,
                       "it was not exported, because something changed meanwhile; send the request again");
    }
}

/* "{slack,teams,…}", how many deliveries of each may leave a mailbox together, and those of which several may. */
static void add_kinds(struct service_call *call, const struct service_export_limits *limits,
                      const char **kinds, const char **together, const char **social)
{
    *kinds = *together = *social = "";
    for (size_t i = 0; dest_all[i]; i++) {
        long of_kind = dest_all[i]->together_max > 1 ? (long)dest_all[i]->together_max : 1;
        *kinds = arena_printf(&call->arena, "%s%s%s", *kinds, i ? "," : "", dest_all[i]->kind);
        *together = arena_printf(&call->arena, "%s%s%ld", *together, i ? "," : "",
                                 of_kind < limits->together ? of_kind : limits->together);
        if (of_kind > 1)
            *social = arena_printf(&call->arena, "%s%s%s", *social, **social ? "," : "", dest_all[i]->kind);
    }
    *social = arena_printf(&call->arena, "{%s}", *social);
    *kinds = arena_printf(&call->arena, "{%s}", *kinds);
    *together = arena_printf(&call->arena, "{%s}", *together);
}

void service_export(struct service_call *call, const struct service_caller *caller, const char *id,
                    const char *body, size_t size, const char *key,
                    const struct service_export_limits *limits)
{
    struct wanted w;
    const char *kinds, *together, *social;
    service_begin(call, caller, export_finish);
    call->own->keeps_all = true;
    if (!service_take_id(call, id))
        return;
    const char *integration = call->own->integration = call->own->id;
    service_key_check(call, key);
    if (!read_wanted(call, body, size, EXPORT_OF_SAVED, limits, &w))
        return;
    call->own->keys = caller->keys;
    if (call->own->is_dry_run && !service_has_keys(call))
        return;
    service_draw_id(call);
    add_kinds(call, limits, &kinds, &together, &social);
    key = call->own->is_dry_run ? NULL : arena_strdup(&call->arena, key);
    if (key) {
        const char *request = arena_printf(&call->arena, "export %s %.*s", integration, (int)size, body);
        service_add_key(call, caller, key, request, strlen(request), NULL, integration);
    }
    call->own->answer = call->step_count;
    struct service_step *step = service_add(call, API_EXPORT);
    const char *const all[] = {caller->workspace,
                               w.values[EXPORT_SCAN],
                               w.values[EXPORT_FINDINGS],
                               w.rank,
                               w.most,
                               w.dry_run,
                               integration,
                               call->own->id,
                               key,
                               kinds,
                               caller->actor,
                               caller->actor_name,
                               social,
                               arena_printf(&call->arena, "%d", DRY_FACTS_MANY),
                               arena_printf(&call->arena, "%d", DRY_FACTS)};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
    if (call->own->is_dry_run)
        return;
    struct service_step *wake = service_add(call, API_EXPORT_WAKE);
    const char *const of_wake[] = {caller->workspace, integration, call->own->id, kinds, together};
    check(wake->count == sizeof of_wake / sizeof of_wake[0]);
    memcpy(wake->values, of_wake, sizeof of_wake);
}

/* ---- with settings that are not saved ---- */

static void add_sent(struct buf *out, const struct facts_finding *f, const struct service_sent *sent)
{
    char id[UUID_TEXT];
    uuid_format(&f->id, id);
    buf_json_open_item(out);
    buf_json_member(out, "finding_id", id);
    buf_json_member(out, "severity", f->severity_text);
    buf_json_member(out, "title", f->title);
    if (sent)
        buf_json_bool(out, "ok", sent->ok);
    else
        buf_json_member(out, "ok", NULL);
    buf_json_key(out, "status");
    if (sent && sent->status)
        buf_add_int(out, sent->status);
    else
        buf_add_text(out, "null");
    buf_json_member(out, "detail", sent ? sent->detail : NULL);
    buf_json_member(out, "response", sent ? sent->response : NULL);
    buf_add_char(out, '}');
}

/* The answer but for what a dry run shows, and the brace that ends it. */
static void begin_answer(struct service_call *call, const struct service_exported *of)
{
    struct buf *out = &call->own->list;
    const char *body = PQgetvalue(call->own->kept[call->own->answer], 0, API_EXPORT_BODY);
    size_t sent = 0;
    for (size_t i = 0; i < of->count && of->sent; i++)
        sent += of->sent[i].ok;
    buf_add(out, body, strlen(body) - 1);
    buf_json_key(out, "sent");
    buf_add_int(out, (int64_t)sent);
    buf_json_open_list(out, "findings");
    for (size_t i = 0; i < of->count; i++)
        add_sent(out, &of->jobs[i].facts->finding, of->sent ? &of->sent[i] : NULL);
    buf_add_char(out, ']');
}

void service_export_sent(struct service_call *call)
{
    begin_answer(call, call->exported);
    buf_add_text(&call->own->list, ",\"requests\":[],\"detail\":null}");
    service_answer_list(call);
}

static void unsaved_finish(struct service_call *call)
{
    static const struct uuid nobody;
    const struct service_settings *s = call->settings;
    const PGresult *rows = call->own->kept[call->own->answer];
    struct service_exported *of = arena_alloc(&call->arena, sizeof *of);
    if (!is_meant(call, rows))
        return;
    if (!service_exported_read(call, value_of(rows, API_EXPORT_FACTS), call->own->id, &nobody, of)) {
        service_refuse(call, SERVICE_CONFLICT, "the findings changed meanwhile; send the request again");
    } else if (call->own->is_dry_run) {
        begin_answer(call, of);
        service_dry_run(call, s->dest, call->own->config, s->config, of, of->count, call->own->limits);
        buf_add_char(&call->own->list, '}');
        service_answer_list(call);
    } else {
        of->sent = arena_alloc(&call->arena, (of->count + 1) * sizeof *of->sent);
        memset(of->sent, 0, (of->count + 1) * sizeof *of->sent);
        call->exported = of;
        call->status = SERVICE_OK;
    }
}

void service_export_unsaved(struct service_call *call, const struct service_caller *caller, const char *body,
                            size_t size, const struct service_export_limits *limits)
{
    struct wanted w;
    service_begin(call, caller, unsaved_finish);
    call->own->keeps_all = true;
    read_wanted(call, body, size, EXPORT_KIND, limits, &w);
    const char *kind = w.values[EXPORT_KIND], *config = w.values[EXPORT_CONFIG];
    const void *parsed = kind && config ? service_config_parse(call, kind, config) : NULL;
    if (call->status != SERVICE_UNFINISHED)
        return;
    service_keep_settings(call, NULL, dest_find(kind), parsed);
    call->status = SERVICE_UNFINISHED;
    call->own->config = config;
    call->sends = !call->own->is_dry_run;
    service_draw_id(call);
    call->own->answer = call->step_count;
    struct service_step *step = service_add(call, API_EXPORT_UNSAVED);
    const char *const all[] = {
        caller->workspace, w.values[EXPORT_SCAN], w.values[EXPORT_FINDINGS], w.rank,       w.most,
        w.dry_run,         caller->actor,         caller->actor_name,        call->own->id};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
}

/* ---- no more of it ---- */

static void cancel_finish(struct service_call *call)
{
    const char *const *columns = call->own->columns;
    if (strcmp(columns[API_CANCEL_FOUND], "0") == 0) {
        service_refuse(call, SERVICE_NOT_FOUND, "there is no such export in this workspace");
        return;
    }
    call->own->undone = strcmp(columns[API_CANCEL_CANCELED], "0") == 0;
    call->body = arena_printf(&call->arena, "{\"canceled\":%s}", columns[API_CANCEL_CANCELED]);
    call->status = SERVICE_OK;
}

void service_export_cancel(struct service_call *call, const struct service_caller *caller, const char *export)
{
    struct uuid uuid;
    service_begin(call, caller, cancel_finish);
    if (!uuid_parse(&uuid, export)) {
        service_refuse(call, SERVICE_NOT_FOUND, "there is no such export in this workspace");
        return;
    }
    struct service_step *step = service_add(call, API_EXPORT_CANCEL);
    const char *const all[] = {caller->workspace, arena_strdup(&call->arena, export), caller->actor,
                               caller->actor_name};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
}
