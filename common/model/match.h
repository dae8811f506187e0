#ifndef NOTIFY_MODEL_MATCH_H
#define NOTIFY_MODEL_MATCH_H

#include "common/model/event.h"
#include "common/model/integration.h"

/*
 * Does this integration fire for this event? MATCH_FIRES, or the first filter that held it back. Pure.
 * The rules are those of the product: enabled; target in scope; event subscribed;
 * target kind; and, for finding events only, severity at or above the filter.
 */
enum match_verdict match_integration(const struct integration *integration, enum event_type type,
                                     const struct facts *facts);

/* Does it pass this one stage, whatever the others say? MATCH_FIRES, which is none, passes. Pure. */
bool match_passes(const struct integration *integration, enum match_verdict stage, enum event_type type,
                  const struct facts *facts);

#endif
