/*
 * life - the life of a finding at a destination that remembers
 *
 * Pure. A finding is closed when it is suppressed, resolved, or verified as no real one, and open again when that is
 * undone. Events come in any order, and each is asked only: how is the finding now, and what was told of it? So the one that
 * comes last leaves the destination as the finding is.
 */
#include "common/destinations/life.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/destinations/text.h"

enum { REASON_MAX = 65536 /* bytes: more than any that is stored */ };

enum life_end life_end_of(const struct facts_finding *f)
{
    const char *status = f->verification_status ? f->verification_status : "";
    if (f->suppressed)
        return LIFE_SUPPRESSED;
    if (f->resolved_at)
        return LIFE_RESOLVED;
    if (strcmp(status, "false_positive") == 0 || strcmp(status, "true_negative") == 0)
        return LIFE_NOT_REAL;
    return LIFE_GOES_ON;
}

/* In brackets of ours, so without blanks at its ends. */
static const char *suppressed_words(const char *reason, struct arena *arena)
{
    struct buf clean;
    buf_init(&clean, REASON_MAX);
    text_add_clean(&clean, reason, TEXT_ONE_LINE);
    const char *words = clean.len > 0 ? arena_printf(arena, "suppressed (%s)", clean.data) : "suppressed";
    buf_free(&clean);
    return words;
}

const char *life_end_words(const struct facts_finding *f, struct arena *arena)
{
    switch (life_end_of(f)) {
    case LIFE_SUPPRESSED:
        return suppressed_words(f->suppress_reason, arena);
    case LIFE_RESOLVED:
        return "resolved";
    case LIFE_NOT_REAL:
        return "false positive";
    case LIFE_GOES_ON:
        break;
    }
    return NULL;
}

const char *life_words(enum life_act act, const struct event *event, const struct facts_finding *f,
                       struct arena *arena)
{
    if (act == LIFE_CLOSE)
        return arena_printf(arena, "Closed: %s", life_end_words(f, arena));
    if (act == LIFE_REOPEN && event->type == EVENT_FINDING_CHANGED)
        return "Open again";
    return event->type == EVENT_FINDING_NEW ? "Found again" : "Updated";
}

/* ---- what is to be done ---- */

/* An event of a scan is told once. */
static enum life_act act_of_scan(const struct dest_reference *r)
{
    return r->known ? LIFE_NOTHING : r->unsure ? LIFE_LOOK : LIFE_OPEN;
}

static enum life_act act_of_unknown(const struct dest_reference *r, bool over)
{
    if (r->unsure)
        return LIFE_LOOK;
    return over ? LIFE_NOTHING : LIFE_OPEN;
}

enum life_act life_act_of(const struct conversation *c)
{
    const struct conversation_job *job = &c->jobs[0];
    const struct dest_reference *r = &c->reference;
    check(job->event != NULL);
    if (!event_is_about_finding(job->event->type))
        return act_of_scan(r);
    bool over = life_end_of(&job->facts->finding) != LIFE_GOES_ON;
    if (!r->known)
        return act_of_unknown(r, over);
    if (r->unsure || r->open == over)
        return over ? LIFE_CLOSE : LIFE_REOPEN;
    if (over && job->event->type == EVENT_FINDING_NEW)
        return LIFE_NOTHING;
    return LIFE_CHANGE;
}

/* ---- the reference ---- */

void life_asks(struct conversation *c)
{
    c->was_unsure = c->reference.unsure;
    c->reference.unsure = true;
}

void life_is(struct conversation *c, const char *key, bool open)
{
    const struct conversation_job *job = &c->jobs[0];
    struct dest_reference *r = &c->reference;
    bool finding = job->event && event_is_about_finding(job->event->type);
    *r = (struct dest_reference){.key = key, .known = true, .open = open};
    if (finding) {
        r->severity = job->facts->finding.severity;
        r->title = job->facts->finding.title;
    }
}

bool life_was_not_carried_out(const struct dest_response *r)
{
    if (r->error != ERROR_NONE)
        return !r->sent;
    return r->status >= 300 && r->status < 500 && r->status != 408;
}

void life_failed(struct conversation *c, const struct dest_response *answer)
{
    if (life_was_not_carried_out(answer))
        c->reference.unsure = c->was_unsure;
}

/* ---- verdicts ---- */

struct verdict life_is_gone(struct conversation *c)
{
    bool over = event_is_about_finding(c->jobs[0].event->type) &&
                life_end_of(&c->jobs[0].facts->finding) != LIFE_GOES_ON;
    c->reference = (struct dest_reference){.known = false};
    if (over)
        return (struct verdict){.kind = VERDICT_NOTHING_TO_DO,
                                .detail =
                                    "what stood for the finding is not there any more, and it is closed"};
    return (struct verdict){.kind = VERDICT_AGAIN,
                            .detail = "what stood for it is not there any more: it is made anew"};
}

struct verdict life_nothing(const struct conversation *c)
{
    const struct conversation_job *job = &c->jobs[0];
    const char *detail = "nothing to do: the destination says already what is so";
    if (event_is_about_finding(job->event->type) && life_end_of(&job->facts->finding) != LIFE_GOES_ON)
        detail = c->reference.known ? "nothing to do: the finding is closed, and so it is there"
                                    : "nothing to do: the finding is closed, and nobody was told of it there";
    return (struct verdict){.kind = VERDICT_NOTHING_TO_DO, .detail = detail};
}
