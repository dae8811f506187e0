/*
 * export_wait - what becomes of an export
 *
 * Looks at its deliveries, soon at first and then with growing pauses: what a destination takes at once is there within a second, and
 * what has to be tried again takes minutes, for which nobody waits here. That a finding is over is the ledger's word alone.
 */
#include "api/mcp/export_wait.h"

#include <string.h>

#include "api/mcp/pick.h"
#include "api/mcp/value.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { PAGES_MAX = 200 /* of 500: a hundred thousand findings */ };

static const double first_pause_s = 0.25, pause_factor = 1.6, longest_pause_s = 5;

/* ---- looking ---- */

static bool is_over(const char *state)
{
    static const char *const over[] = {"canceled", "dead", "dropped"};
    for (size_t i = 0; i < sizeof over / sizeof over[0]; i++)
        if (strcmp(state, over[i]) == 0)
            return true;
    return false;
}

static void count_rows(struct export_wait *w)
{
    w->delivered = w->failed = 0;
    json_object_object_foreach(w->rows, event, row)
    {
        const char *state = pick_text(row, "state");
        (void)event;
        w->delivered += strcmp(state, "delivered") == 0;
        w->failed += is_over(state);
    }
}

/* Also in the middle of a look: what it has seen so far counts. */
static void end_wait(struct call *call)
{
    struct export_wait *w = call->own;
    call_stop(call);
    count_rows(w);
    call->on_cancel = NULL;
    call->on_end = NULL;
    w->done(call, w);
}

static void look(struct call *call);

static double seconds_left(const struct export_wait *w)
{
    return (double)(w->until_us - clock_mono_us()) / 1e6;
}

static void after_look(struct call *call)
{
    struct export_wait *w = call->own;
    int64_t over;
    count_rows(w);
    over = w->delivered + w->failed;
    if (over > w->told) {
        call_tell(call, over, w->count,
                  arena_printf(call->arena, "%lld of %lld delivered, %lld failed", (long long)w->delivered,
                               (long long)w->count, (long long)w->failed));
        w->told = over;
    }
    double left = seconds_left(w);
    if (over >= w->count || left <= 0) {
        end_wait(call);
    } else if (left <= first_pause_s) {
        call_later(call, left, end_wait);
    } else { /* the last look comes before the end, with time for its answer */
        double most = left - first_pause_s;
        call_later(call, w->pause < most ? w->pause : most, look);
    }
    w->pause = w->pause * pause_factor < longest_pause_s ? w->pause * pause_factor : longest_pause_s;
}

static void ask_page(struct call *call, const char *cursor);

static void on_page(struct call *call, const struct client_answer *answer)
{
    struct export_wait *w = call->own;
    if (answer->status != 200 || !json_object_is_type(answer->body, json_type_array)) {
        w->fault = call_refusal(call, answer);
        end_wait(call);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(answer->body); i++) {
        struct json_object *row = json_object_array_get_idx(answer->body, i);
        const char *event = pick_text(row, "event_id");
        if (*event)
            value_set(w->rows, event, json_object_get(row));
    }
    if (answer->next && ++w->pages < PAGES_MAX)
        ask_page(call, answer->next);
    else
        after_look(call);
}

static void ask_page(struct call *call, const char *cursor)
{
    struct export_wait *w = call->own;
    const char *path = call_query(call, "/deliveries?limit=500", "export_id", w->id);
    call_ask(call, "GET", call_query(call, path, "cursor", cursor), NULL, NULL, on_page);
}

static void look(struct call *call)
{
    struct export_wait *w = call->own;
    double left = seconds_left(w);
    w->pages = 0;
    call_later(call, left > 0 ? left : 0, end_wait);
    ask_page(call, NULL);
}

/* ---- canceling ---- */

static void on_canceled(struct call *call, const struct client_answer *answer)
{
    if (answer->status < 200 ||
        answer->status > 299) /* the client hears nothing of a call that it canceled */
        LOG(LOG_WARN, "export_not_canceled", LOG_TEXT("export", call->own),
            LOG_TEXT("reason", call_refusal(call, answer)));
    call_drop(call);
}

void export_wait_cancel(struct call *call, const char *export_id)
{
    call_stop(call);
    call->on_cancel = NULL;
    call->on_end = NULL;
    call->own = arena_strdup(call->arena, export_id);
    call_ask_again(call,
                   arena_printf(call->arena, "/exports/%s/cancel", dest_url_escape(call->arena, export_id)),
                   NULL, on_canceled);
}

static void on_cancel(struct call *call)
{
    const struct export_wait *w = call->own;
    export_wait_cancel(call, w->id);
}

void export_wait_begin(struct call *call, struct export_wait *wait,
                       void (*done)(struct call *call, struct export_wait *wait))
{
    wait->done = done;
    wait->pause = first_pause_s;
    wait->until_us = call->begun_us + clock_us(call->conf->mcp_wait);
    wait->rows = call_keep(call, value_object());
    call->own = wait;
    call->on_cancel = on_cancel;
    call->on_end = end_wait;
    if (call_is_hurried(call) || seconds_left(wait) <= 0) {
        end_wait(call);
        return;
    }
    call_tell(call, 0, wait->count, "the findings wait for their delivery");
    call_later(call, seconds_left(wait) < 2 * first_pause_s ? 0 : first_pause_s, look);
}
