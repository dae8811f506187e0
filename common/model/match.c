/*
 * match - the filters
 *
 * Pure, and on the path of every event for every integration of its workspace: no allocation, no text
 * comparison except target kinds. The stages are asked in a fixed order, so that the verdict names the first
 * one that held the event back; `explain` and the ledger's counts show the same word.
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

enum match_verdict match_integration(const struct integration *i, enum event_type type,
                                     const struct facts *facts)
{
    if (!i->enabled)
        return MATCH_DISABLED;
    if (!target_in_scope(i, &facts->target.id))
        return MATCH_TARGET;
    if (!i->all_events && !(i->event_mask & 1u << type))
        return MATCH_EVENT;
    if (!kind_in_scope(i, facts->target.kind))
        return MATCH_TARGET_KIND;
    if (event_is_about_finding(type) && facts->finding.severity < i->severity_filter)
        return MATCH_SEVERITY;
    return MATCH_FIRES;
}
