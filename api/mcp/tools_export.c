/*
 * tools_export - findings to one destination
 *
 * One request to the API makes the export, with an Idempotency-Key, so that it is one whatever becomes of the answer; while that is not
 * known, the same call has the same key (keys.c). Then the ledger is looked at (export_wait.c). Where it goes, what it holds and from
 * which severity on is in the arguments alone, which were checked before anything was read: no text of a finding comes before that, and
 * none is looked at after it.
 */
#include <string.h>

#include "api/mcp/export_wait.h"
#include "api/mcp/pick.h"
#include "api/mcp/value.h"
#include "common/base/log.h"

struct export
{
    struct json_object *integration; /* NULL: settings that are not saved */
    struct json_object *answer;      /* of the API; lives as long as the call */
    bool dry_run;
    const char *what; /* all that is asked, for its key; NULL: it has none */
    struct export_wait wait;
};

static struct export *export_of(struct call *call)
{
    return call->own;
}

/* ---- the result ---- */

static int64_t number_of(struct json_object *object, const char *name)
{
    return json_object_get_int64(json_get(object, name));
}

static const char *where_to(struct call *call, const struct export *e)
{
    return e->integration ? pick_shown(call, e->integration)
                          : arena_printf(call->arena, "the settings given for %s", call->tool->kind);
}

/* What is left out, for the end of a sentence; "" when nothing is. */
static const char *left_out(struct call *call, struct json_object *answer)
{
    struct json_object *out = json_get(answer, "left_out");
    int64_t severity = number_of(out, "severity"), suppressed = number_of(out, "suppressed");
    if (severity + suppressed == 0)
        return "";
    return arena_printf(call->arena, "; left out: %lld below the severity, %lld suppressed",
                        (long long)severity, (long long)suppressed);
}

static const char *findings(struct call *call, int64_t count)
{
    return arena_printf(call->arena, "%lld finding%s", (long long)count, count == 1 ? "" : "s");
}

/* How many there was no answer to: with settings that are not saved nobody asks again. */
static int64_t unanswered(const struct export *e)
{
    struct json_object *list = json_get(e->answer, "findings");
    int64_t count = 0;
    for (size_t i = 0; !e->integration && i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i), *ok = json_get(one, "ok");
        count += ok && !json_object_get_boolean(ok) && !json_get(one, "status");
    }
    return count;
}

static const char *dry_summary(struct call *call, const struct export *e)
{
    int64_t count = number_of(e->answer, "count");
    const char *detail = pick_text(e->answer, "detail");
    return arena_printf(call->arena, "nothing was sent: this was a dry run; %s %s chosen for %s%s%s%s",
                        findings(call, count), count == 1 ? "is" : "are", where_to(call, e),
                        left_out(call, e->answer), *detail ? "; " : "", detail);
}

static const char *failed_summary(struct call *call, const struct export *e, int64_t delivered,
                                  int64_t failed, bool finished)
{
    int64_t count = number_of(e->answer, "count"), open = unanswered(e);
    const char *rest = "", *doubt = "";
    if (!finished)
        rest = arena_printf(call->arena,
                            ", %lld still under way: that goes on by itself, and list_deliveries with "
                            "export_id shows it",
                            (long long)(count - delivered - failed));
    if (open)
        doubt = arena_printf(call->arena,
                             "; %lld of these had no answer and are not confirmed: it may have arrived",
                             (long long)open);
    return arena_printf(call->arena,
                        "of %s to %s %lld delivered, %lld failed (see their reason and detail)%s%s%s",
                        findings(call, count), where_to(call, e), (long long)delivered, (long long)failed,
                        doubt, rest, left_out(call, e->answer));
}

static const char *summary_of(struct call *call, const struct export *e, int64_t delivered, int64_t failed,
                              bool finished)
{
    const char *to = where_to(call, e), *out = left_out(call, e->answer);
    int64_t count = number_of(e->answer, "count");
    const char *all = findings(call, count);
    if (e->dry_run)
        return dry_summary(call, e);
    if (count == 0)
        return arena_printf(call->arena, "nothing was sent to %s: no finding is left%s", to, out);
    if (failed > 0)
        return failed_summary(call, e, delivered, failed, finished);
    if (finished)
        return arena_printf(call->arena, "%s delivered to %s%s", all, to, out);
    return arena_printf(
        call->arena,
        "%lld of %s delivered to %s so far; the rest goes on by itself, and list_deliveries with "
        "export_id shows it%s",
        (long long)delivered, all, to, out);
}

/* What a reader is told whom the result does not show all: an export has no limit, and made again it sends all of it again. */
static void set_words(struct call *call, const struct export *e, int64_t delivered, int64_t failed)
{
    const char *id = pick_text(e->answer, "export_id");
    long long count = number_of(e->answer, "count");
    call->too_large = "choose fewer findings; nothing was sent";
    call->cut = "nothing was sent: choose fewer findings to see the rest";
    if (e->dry_run)
        return;
    call->cut = *id ? "it was done: do not repeat it, list_deliveries with export_id shows the rest"
                    : "it was done: do not repeat it";
    call->too_large = arena_printf(call->arena,
                                   "the export was made all the same: do not repeat it; %lld findings, %lld "
                                   "delivered, %lld failed, export_id %.40s",
                                   count, (long long)delivered, (long long)failed, *id ? id : "none");
}

/* Put what the ledger says of a delivery behind what the export said of its finding. */
static void add_row(struct json_object *finding, struct json_object *row)
{
    static const char *const names[] = {"state", "status", "reason", "detail", "reference"};
    for (size_t i = 0; json_object_is_type(row, json_type_object) && i < sizeof names / sizeof names[0]; i++)
        value_set(finding, names[i], json_object_get(json_get(row, names[i])));
}

static void copy_member(struct json_object *to, struct json_object *from, const char *name)
{
    struct json_object *value;
    if (json_object_object_get_ex(from, name, &value))
        value_set(to, name, json_object_get(value));
}

static void finish(struct call *call, struct export *e, int64_t delivered, int64_t failed, bool finished)
{
    struct json_object *result = value_object(), *a = e->answer;
    const char *id = e->integration ? pick_text(e->integration, "id") : NULL;
    int64_t count = number_of(a, "count");
    value_set(result, "summary", value_text(summary_of(call, e, delivered, failed, finished)));
    value_set(result, "export_id", json_object_get(json_get(a, "export_id")));
    value_set(result, "integration_id", value_text(id));
    value_set(result, "count", value_number(count));
    value_set(result, "finished", value_bool(finished));
    value_set(result, "delivered", value_number(delivered));
    value_set(result, "failed", value_number(failed));
    copy_member(result, a, "left_out");
    copy_member(result, a, "findings");
    if (e->dry_run)
        copy_member(result, a, "requests");
    copy_member(result, a, "detail");
    if (e->wait.fault)
        value_set(result, "detail", value_text(e->wait.fault));
    set_words(call, e, delivered, failed);
    call_finish(call, result, failed > 0 && delivered == 0);
}

static void on_waited(struct call *call, struct export_wait *wait)
{
    struct export *e = (struct export *)(void *)((char *)wait - offsetof(struct export, wait));
    struct json_object *findings = json_get(e->answer, "findings");
    for (size_t i = 0; i < json_object_array_length(findings); i++) {
        struct json_object *one = json_object_array_get_idx(findings, i);
        add_row(one, json_get(wait->rows, pick_text(one, "event_id")));
    }
    finish(call, e, wait->delivered, wait->failed, wait->delivered + wait->failed >= wait->count);
}

/* ---- the request ---- */

/* The findings of settings that are not saved: they were sent, or not, when the answer comes. */
static void finish_sent(struct call *call, struct export *e)
{
    int64_t count = number_of(e->answer, "count"), sent = number_of(e->answer, "sent");
    finish(call, e, sent, e->dry_run ? 0 : count - sent, true);
}

static bool is_export(const struct client_answer *answer)
{
    struct json_object *count = json_get(answer->body, "count"), *list = json_get(answer->body, "findings");
    bool good = answer->status == 200 && json_object_is_type(count, json_type_int) &&
                json_object_get_int64(count) >= 0 && json_object_is_type(list, json_type_array);
    for (size_t i = 0; good && i < json_object_array_length(list); i++)
        good = json_object_is_type(json_object_array_get_idx(list, i), json_type_object);
    return good;
}

static void fail_export(struct call *call, const struct export *e, const struct client_answer *answer)
{
    bool taken = answer->status >= 200 && answer->status < 300;
    if (call->canceled && (taken || answer->maybe_done))
        LOG(LOG_WARN, "export_not_canceled", LOG_TEXT("export", NULL),
            LOG_TEXT("reason", "no answer says which it is"));
    if (taken)
        call_fail(call, arena_printf(call->arena,
                                     "the API answered in a way that this notify-mcp does not know: are both "
                                     "of one version?%s%s",
                                     e->dry_run ? "" : " ", e->dry_run ? "" : call->unsure));
    else
        call_refuse(call, answer);
}

static void on_exported(struct call *call, const struct client_answer *answer)
{
    struct export *e = export_of(call);
    bool good = is_export(answer);
    call->on_cancel = NULL;
    if (e->what)
        call_key_done(call, e->what, good || (answer->status / 100 != 2 && !answer->maybe_done));
    if (!good) {
        fail_export(call, e, answer);
        return;
    }
    e->answer = call_keep(call, json_object_get(answer->body));
    const char *id = pick_text(e->answer, "export_id");
    int64_t count = number_of(e->answer, "count");
    if (call->canceled) {
        if (*id)
            export_wait_cancel(call, id);
        else
            call_drop(call);
    } else if (!e->integration) {
        finish_sent(call, e);
    } else if (e->dry_run || count == 0) {
        finish(call, e, 0, 0, true);
    } else if (!*id || !call_flag(call, "wait", true)) {
        finish(call, e, 0, 0, false);
    } else {
        e->wait.id = id;
        e->wait.count = count;
        export_wait_begin(call, &e->wait, on_waited);
    }
}

/* It may have been made: its answer says what is to be canceled. */
static void on_cancel(struct call *call)
{
    (void)call;
}

static void ask_export(struct call *call, struct json_object *integration)
{
    static const char *const names[] = {"scan_id", "finding_ids", "severity", "dry_run", "config"};
    struct export *e = export_of(call);
    struct json_object *body = call_keep(call, value_object());
    const char *path = "/integrations/export";
    e->integration = integration;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        copy_member(body, call->arguments, names[i]);
    if (integration)
        path = arena_printf(call->arena, "/integrations/%s/export",
                            dest_url_escape(call->arena, pick_text(integration, "id")));
    else
        value_set(body, "kind", value_text(call->tool->kind));
    const char *text = json_print(body);
    call->on_cancel = on_cancel;
    call->unsure = integration
                       ? "it is not known whether the export happened: do not call it again before "
                         "list_deliveries (with scan_id or finding_id, and the integration) shows "
                         "nothing of it"
                       : "it is not known whether anything was sent, and list_deliveries does not "
                         "have it: do not call it again before somebody has looked at the destination";
    if (e->dry_run) {
        call_ask_again(call, path, text, on_exported);
        return;
    }
    e->what = integration ? arena_printf(call->arena, "%s %s", path, text) : NULL;
    call_ask(call, "POST", path, text, e->what ? call_key(call, e->what) : NULL, on_exported);
}

void tool_export(struct call *call)
{
    struct export *e = arena_alloc(call->arena, sizeof *e);
    struct json_object *findings = call_argument(call, "finding_ids");
    bool by_scan = call_text(call, "scan_id") != NULL, saved = !call_argument(call, "config");
    call->own = e;
    e->dry_run = call_flag(call, "dry_run", false);
    if (by_scan == (findings != NULL))
        call_fail(call, "give either scan_id or finding_ids, and not both: it says what is sent");
    else if (findings && json_object_array_length(findings) == 0)
        call_fail(call, "finding_ids is empty: name at least one finding, or give scan_id");
    else if (!saved && call_text(call, "integration"))
        call_fail(call, "give either integration or config, and not both: it says where it is sent");
    else if (saved)
        pick_integration(call, call->tool->kind, call_text(call, "integration"), ask_export);
    else
        ask_export(call, NULL);
}
