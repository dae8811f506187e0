/*
 * splunk - events into an index, through the HTTP Event Collector
 *
 * Many jobs may share a request: their events stand one after the other in its body (no list, no commas). Splunk takes
 * them in order up to the first that it does not want, and says which one that is; so those before it are delivered, it
 * alone is rejected, and a further request has those behind it. What is wrong with the settings, or with Splunk, is told to
 * all that wait. At the end of its requests a conversation leaves the others to the next attempt.
 *
 * Splunk's answer means that it has taken an event, not that it is indexed. It knows no repeat: an event that is sent again
 * is there twice, with the same id in it.
 */
#include "common/destinations/splunk.h"

#include <string.h>

#include "common/base/check.h"

enum {
    ANSWER_MAX = 4096, /* bytes; Splunk's are some hundred */
    AGAIN_UNTIL = 4, /* the attempt from which on those that it was not the turn of wait as after a failure */
};

/* The jobs that wait, from `first` on. The first `sent` of them are in the request under way. */
struct waiting {
    size_t first;
    size_t sent;
    size_t most; /* in a request */
};

/* ---- verdicts ---- */

/* The next N of those that wait get V and wait no more. */
static void settle(struct conversation *c, struct waiting *w, size_t n, struct verdict v)
{
    check(n <= c->job_count - w->first);
    for (; n > 0; n--)
        c->jobs[w->first++].verdict = v;
}

static void settle_all(struct conversation *c, struct waiting *w, struct verdict v)
{
    settle(c, w, c->job_count - w->first, v);
}

/* A smaller request may say which one it is; at last it can only be the one. */
static void split(struct conversation *c, struct waiting *w, struct verdict v)
{
    if (w->sent == 1)
        settle(c, w, 1, v);
    else
        w->most = w->sent / 2;
}

/*
 * Of an event that Splunk does not want the number is the count of those before it; where it says that it takes no more,
 * it may be one higher (seen with code 7: "2" for the second of three). There the last one in doubt counts as not taken,
 * for a repeat is better than a loss.
 */
static void on_answer(struct conversation *c, struct waiting *w, const struct dest_response *r)
{
    const struct verdict taken = {.kind = VERDICT_DELIVERED};
    struct splunk_answer a = splunk_judge(r);
    bool is_known = a.number >= 0 && (uint64_t)a.number <= w->sent;
    switch (a.extent) {
    case SPLUNK_SENT:
        settle(c, w, w->sent, a.verdict);
        break;
    case SPLUNK_EVERY:
        if (is_known && a.number > 1)
            settle(c, w, (size_t)a.number - 1, taken);
        settle_all(c, w, a.verdict);
        break;
    case SPLUNK_EVENT:
        if (!is_known || (size_t)a.number == w->sent || w->sent == 1) {
            split(c, w, a.verdict);
            break;
        }
        settle(c, w, (size_t)a.number, taken);
        settle(c, w, 1, a.verdict);
        break;
    case SPLUNK_SIZE:
        split(c, w, a.verdict);
        break;
    }
}

/* What a test has proven. */
static void explain_test(const struct conversation *c)
{
    struct verdict *v = &c->jobs[0].verdict;
    if (c->is_test && v->kind == VERDICT_DELIVERED)
        v->detail = "Splunk took the test event with this token; a search for sourcetype=\"pencheff:test\" "
                    "shows whether it reached its index";
}

/* ---- requests ---- */

/* The event of JOB with its envelope; false when it is longer than MAX. */
static bool add_event(const struct conversation *c, const struct conversation_job *job, size_t max,
                      struct buf *out)
{
    const struct splunk_config *config = c->config;
    struct buf own;
    buf_init(&own, max);
    dest_rendering(c, job);
    if (c->job_count > 1)
        splunk_body_build(job->event, job->facts, 0, &own);
    const struct buf *rest = c->job_count > 1 ? &own : dest_cached_body(c, 0, splunk_body_build);
    size_t n = strlen(config->envelope) + 1 + rest->len;
    bool fits = !rest->overflow && n <= max;
    if (fits) {
        buf_add_text(out, config->envelope);
        buf_add_char(out, ',');
        buf_add(out, rest->data, rest->len);
    }
    buf_free(&own);
    return fits;
}

/* As many as fit. One that fits nowhere is rejected on the way. */
static void fill(struct conversation *c, struct waiting *w, size_t max, struct buf *body)
{
    w->sent = 0;
    while (w->first + w->sent < c->job_count && w->sent < w->most) {
        if (add_event(c, &c->jobs[w->first + w->sent], max - body->len, body))
            w->sent++;
        else if (w->sent == 0)
            settle(c, w, 1, verdict_too_long());
        else
            break;
    }
    if (c->job_count > 1)
        dest_rendering(c, NULL);
}

static enum dest_next send_waiting(struct conversation *c, struct waiting *w, struct dest_request *out)
{
    const struct splunk_config *config = c->config;
    size_t max = c->cache->layouts[0].body.max;
    if (c->job_count > 1 && max > SPLUNK_REQUEST_MAX)
        max = SPLUNK_REQUEST_MAX;
    struct buf body;
    buf_init(&body, max);
    fill(c, w, max, &body);
    const char *text = w->sent > 0 ? arena_text(c->arena, buf_text(&body), body.len) : NULL;
    size_t size = body.len;
    buf_free(&body);
    if (!text)
        return DEST_FINISHED;
    dest_request_json(out, "POST", config->url, text, size);
    check(dest_request_add_header(out, "Authorization", config->authorization));
    out->answer_max = ANSWER_MAX;
    c->step++;
    return DEST_SEND;
}

static enum dest_next splunk_next(struct conversation *c, const struct dest_response *last,
                                  struct dest_request *out)
{
    struct waiting *w = c->scratch;
    check(c->job_count > 0 && !last == (c->step == 0) && c->is_test == (c->jobs[0].event == NULL));
    if (!last) {
        c->scratch = w = arena_alloc(c->arena, sizeof *w);
        *w = (struct waiting){.most = c->job_count};
    } else {
        on_answer(c, w, last);
    }
    if (c->step == SPLUNK_REQUESTS_MAX)
        settle_all(
            c, w,
            (struct verdict){.kind = c->attempt < AGAIN_UNTIL ? VERDICT_AGAIN : VERDICT_RETRY,
                             .error = ERROR_HTTP_STATUS,
                             .detail = "Splunk refused so many events beside this one that it was not sent"});
    enum dest_next next = send_waiting(c, w, out);
    if (next == DEST_FINISHED)
        explain_test(c);
    return next;
}

const struct dest dest_splunk = {
    .kind = "splunk",
    .title = "Splunk",
    .placeholder =
        "{\"hec_url\":\"https://splunk.example:8088\",\"token\":\"00000000-0000-0000-0000-000000000000\"}",
    .repeat_hurts = false,
    .together_max = SPLUNK_TOGETHER_MAX,
    .settings = splunk_settings,
    .config_parse = splunk_config_parse,
    .next = splunk_next,
};
