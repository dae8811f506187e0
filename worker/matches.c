/*
 * matches - what the filters say, asked once
 *
 * Pure. The events of a scan ask the same question over and over: the filters look at target, its kind, event type and
 * severity, and at nothing else. In a workspace of ten thousand integrations asking takes a third of a millisecond, more
 * than all the rest that an event costs; so the answers are kept, a few dozen of them, each in the place that its question's
 * hash says. Few integrations are asked each time: that costs less than keeping.
 */
#include "worker/matches.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/model/match.h"
#include "worker/rules.h"

enum { WORTH_KEEPING = 64, SLOTS = 64, KIND_MAX = 32 };

/* All that the filters look at. */
struct question {
    struct uuid target;
    char kind[KIND_MAX];
    unsigned char has_kind;
    unsigned char type;
    unsigned char severity; /* of a finding event; else 0 */
};

struct matches_slot {
    bool used;
    struct question question;
    struct matches_found found;
};

void matches_free(struct matches *m)
{
    for (size_t i = 0; m->slots && i < SLOTS; i++)
        free(m->slots[i].found.fires);
    free(m->slots);
    free(m->last.fires);
    memset(m, 0, sizeof *m);
}

static void ask_all(struct rules_integration *integrations, size_t count, enum event_type type,
                    const struct facts *facts, struct matches_found *out)
{
    memset(out->held_back, 0, sizeof out->held_back);
    out->count = 0;
    for (size_t i = 0; i < count; i++) {
        enum match_verdict verdict = match_integration(&integrations[i].row, type, facts);
        if (verdict == MATCH_FIRES)
            out->fires[out->count++] = &integrations[i];
        else
            out->held_back[verdict]++;
    }
}

/* False when it cannot be kept: a kind longer than the product's column. */
static bool make_question(enum event_type type, const struct facts *facts, struct question *q)
{
    memset(q, 0, sizeof *q); /* it is compared as bytes */
    q->target = facts->target.id;
    q->type = (unsigned char)type;
    if (event_is_about_finding(type))
        q->severity = (unsigned char)facts->finding.severity;
    q->has_kind = facts->target.kind != NULL;
    if (!q->has_kind)
        return true;
    size_t n = strlen(facts->target.kind);
    if (n >= sizeof q->kind)
        return false;
    memcpy(q->kind, facts->target.kind, n);
    return true;
}

/* Room for all that may fire, which is COUNT. */
static struct matches_found *scratch(struct matches *m, size_t count)
{
    if (!m->last.fires && count) {
        m->last.fires = mem_alloc(count * sizeof(struct rules_integration *));
        m->held += count * sizeof(struct rules_integration *);
    }
    return &m->last;
}

/* Keep what has just been found. */
static void keep(struct matches *m, struct matches_slot *slot, const struct question *q)
{
    size_t bytes = m->last.count * sizeof(struct rules_integration *);
    m->held -= slot->found.count * sizeof(struct rules_integration *);
    free(slot->found.fires);
    slot->found = m->last;
    slot->found.fires = NULL;
    if (bytes) {
        slot->found.fires = mem_alloc(bytes);
        memcpy(slot->found.fires, m->last.fires, bytes);
    }
    m->held += bytes;
    slot->question = *q;
    slot->used = true;
}

const struct matches_found *matches_find(struct matches *m, struct rules_integration *integrations,
                                         size_t count, enum event_type type, const struct facts *facts)
{
    struct question q;
    struct matches_found *found = scratch(m, count);
    if (count < WORTH_KEEPING || !make_question(type, facts, &q)) {
        ask_all(integrations, count, type, facts, found);
        return found;
    }
    if (!m->slots) {
        m->slots = mem_zalloc(SLOTS * sizeof *m->slots);
        m->held += SLOTS * sizeof *m->slots;
    }
    struct matches_slot *slot = &m->slots[hash_bytes(&q, sizeof q) % SLOTS];
    if (!slot->used || memcmp(&slot->question, &q, sizeof q) != 0) {
        ask_all(integrations, count, type, facts, found);
        keep(m, slot, &q);
    }
    return &slot->found;
}
