/*
 * digest - many new findings in one message: how many of which severity, and the worst of them
 *
 * Pure. A channel that gets a thousand messages is muted, and then nobody is told. What is left out here stands in the product,
 * and each finding has its own delivery in the ledger.
 */
#include "common/destinations/digest.h"

#include <string.h>

#include "common/base/check.h"

static double score_of(const struct facts_finding *f)
{
    return f->has_cvss_score && f->cvss_score >= 0 && f->cvss_score <= 10 ? f->cvss_score : -1;
}

static bool is_worse(const struct facts_finding *a, const struct facts_finding *b)
{
    return a->severity != b->severity ? a->severity > b->severity : score_of(a) > score_of(b);
}

/* Behind all that are as bad. */
static void consider(struct facts_digest *d, const struct facts_finding *f)
{
    size_t at = d->worst_count;
    while (at > 0 && is_worse(f, d->worst[at - 1]))
        at--;
    if (at == DIGEST_WORST_MAX)
        return;
    if (d->worst_count < DIGEST_WORST_MAX)
        d->worst_count++;
    memmove(&d->worst[at + 1], &d->worst[at], (d->worst_count - 1 - at) * sizeof d->worst[0]);
    d->worst[at] = f;
}

void digest_build(struct digest *out, const struct conversation *c)
{
    memset(out, 0, sizeof *out);
    out->event = *c->jobs[0].event;
    out->facts = *c->jobs[0].facts;
    out->event.type = EVENT_SCAN_DONE; /* of the scan, and of no finding */
    out->event.has_finding = out->facts.has_finding = false;
    out->facts.digest = &out->many;
    out->many.count = c->job_count;
    for (size_t i = 0; i < c->job_count; i++) {
        dest_rendering(c, &c->jobs[i]);
        check(c->jobs[i].event->type == EVENT_FINDING_NEW && c->jobs[i].facts->has_finding);
        out->many.counts[c->jobs[i].facts->finding.severity]++;
        consider(&out->many, &c->jobs[i].facts->finding);
    }
    dest_rendering(c, NULL);
}
