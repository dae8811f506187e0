/*
 * job_claim - what a delivery does at a destination that remembers: it claims what stands there for its finding
 *
 * After the gate, so that a claim lasts as long as the requests and not as long as the line; and before the row is taken, so
 * that waiting for another delivery about the same weakness is no attempt. What is claimed is read with the finding as it
 * is now, which may not be what was looked up: then the job has facts, and bodies, of its own.
 */
#include <string.h>

#include "common/base/fault.h"
#include "common/destinations/alert.h"
#include "worker/job_parts.h"
#include "worker/shared.h"

bool job_remembers(const struct job *j)
{
    enum dest_refers refers = j->talk.dest->refers;
    return refers == DEST_REFERS_ALWAYS ||
           (refers == DEST_REFERS_FINDINGS && event_is_about_finding(j->event->event->type));
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool has_changed(const struct facts_finding *f, const struct ref_claim *c)
{
    return f->suppressed != c->suppressed || (f->resolved_at != NULL) != c->resolved ||
           !is_same(f->suppress_reason, c->suppress_reason) ||
           !is_same(f->verification_status, c->verification_status) ||
           !is_same(f->severity_text, c->severity_text) || !is_same(f->title, c->title);
}

static void bring_up_to_date(struct facts_finding *f, const struct ref_claim *c)
{
    int severity = c->severity_text ? severity_parse(c->severity_text) : -1;
    f->suppressed = c->suppressed;
    f->resolved_at = !c->resolved ? NULL : f->resolved_at ? f->resolved_at : "";
    f->suppress_reason = c->suppress_reason;
    f->verification_status = c->verification_status;
    f->severity_text = c->severity_text;
    f->severity = severity < 0 ? SEVERITY_INFO : (enum severity)severity;
    f->title = c->title;
}

/* Other jobs of the event have claims, and perhaps another now, of their own. */
static void use_own_facts(struct job *j)
{
    struct facts *facts = arena_alloc(&j->arena, sizeof *facts);
    *facts = *j->event->facts;
    if (j->claim.has_finding_now)
        bring_up_to_date(&facts->finding, &j->claim);
    facts->fingerprint = j->claim.name.fingerprint;
    j->item.facts = facts;
    j->own_bodies = arena_alloc(&j->arena, sizeof *j->own_bodies);
    dest_body_cache_init(j->own_bodies, (size_t)j->parts->conf->delivery_max_request);
    j->talk.conversation.cache = j->own_bodies;
}

static void on_alone(struct ledger_write *w)
{
    struct job *j = list_entry(w, struct job, write);
    j->holds = false;
    job_move(j, JOB_WAITING, "it goes by itself");
    talk_enter(&j->talk);
}

/* It is told where it was told before, and not with others: for that it waits at the gate, without the claim. */
static void go_alone(struct job *j)
{
    bundle_leave(&j->member);
    job_release(j, "it was told before", on_alone);
}

static void on_claimed(struct ref_claim *c)
{
    struct job *j = list_entry(c, struct job, claim);
    if (c->refused) {
        if (!j->exists)
            j->event->ledger_event->rows_refused++;
        job_leave_refused(j);
        return;
    }
    if (!c->granted) {
        job_put_off(j, c->wait_s);
        return;
    }
    fault_here(FAULT_CLAIM, j->event->event->id);
    j->holds = true;
    j->talk.conversation.reference = c->reference;
    j->talk.is_claimed = true;
    if (j->member.bundle && (c->reference.known || c->reference.unsure)) {
        go_alone(j);
        return;
    }
    if (c->overtaken) {
        job_leave_overtaken(j);
        return;
    }
    bool renamed = c->has_finding && strcmp(c->name.fingerprint, c->asked) != 0;
    if (renamed || (c->has_finding_now && has_changed(&j->event->facts->finding, c)))
        use_own_facts(j);
    job_claimed(j);
}

void job_claim(struct job *j)
{
    const struct job_event *e = j->event;
    const struct conf *conf = j->parts->conf;
    char *fingerprint = arena_alloc(&j->arena, SHA256_HEX);
    alert_fingerprint(e->event, e->facts, fingerprint);
    j->claim = (struct ref_claim){
        .name = {.integration = j->integration_id},
        .asked = fingerprint,
        .about = e->event,
        .workspace = e->facts->scan.workspace_id,
        .has_finding = event_is_about_finding(e->event->type),
        .finding = e->facts->finding.id,
        .lease_s = talk_lease(conf),
        .look_after_s =
            conf->delivery_look_after > 0 ? conf->delivery_look_after : j->talk.dest->look_after_s,
        .arena = &j->arena,
        .answered = on_claimed,
    };
    refs_claim(j->parts->refs, &j->claim);
}
