/*
 * match - the filters
 *
 * Pure, and on the path of every event for every integration of its workspace: no allocation, no text
 * comparison except target kinds. The stages are asked in the order of MATCH_LIST, so that the verdict names the
 * first one that held the event back; the ledger's counts show the same word, and `explain` asks each stage by itself.
 */
#include "common/model/match.h"

#include <string.h>

static bool target_in_scope(const struct integration *i, const struct uuid *target)
{
    if (!i->target_ids)
        return true;
    for (size_t n = 0; n < i->target_count; n++)
        if (uuid_equal(&i->target_ids[n], target))
            return true;
    return false;
}

static bool kind_in_scope(const struct integration *i, const char *kind)
{
    if (i->all_target_kinds)
        return true;
    if (!kind)
        return false;
    for (size_t n = 0; n < i->target_kind_count; n++)
        if (strcmp(i->target_kinds[n], kind) == 0)
            return true;
    return false;
}

bool match_passes(const struct integration *i, enum match_verdict stage, enum event_type type,
                  const struct facts *facts)
{
    switch (stage) {
    case MATCH_DISABLED:
        return i->enabled;
    case MATCH_TARGET:
        return target_in_scope(i, &facts->target.id);
    case MATCH_EVENT:
        return i->all_events || (i->event_mask & 1u << type);
    case MATCH_TARGET_KIND:
        return kind_in_scope(i, facts->target.kind);
    case MATCH_SEVERITY:
        return !event_is_about_finding(type) || facts->finding.severity >= i->severity_filter;
    case MATCH_FIRES:
    case MATCH_COUNT:
        break;
    }
    return true;
}

enum match_verdict match_integration(const struct integration *i, enum event_type type,
                                     const struct facts *facts)
{
    for (enum match_verdict stage = MATCH_FIRES + 1; stage < MATCH_COUNT; stage++)
        if (!match_passes(i, stage, type, facts))
            return stage;
    return MATCH_FIRES;
}
