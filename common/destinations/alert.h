#ifndef NOTIFY_DESTINATIONS_ALERT_H
#define NOTIFY_DESTINATIONS_ALERT_H

#include "common/base/hash.h"
#include "common/destinations/dest.h"

/*
 * Which alert an event belongs to, for kinds that wake somebody. Where there are threads, an alert's name is that of a thread.
 */
enum { ALERT_KEY_TEXT = sizeof "pencheff-" - 1 + SHA256_HEX };

/*
 * What is the same for all that is told about one weakness, in later scans too, which store it in a new row: a hash of the
 * target and of what the finding says of itself (architecture section 5). Of an event that is about no finding: its own. 64
 * hex digits.
 */
void alert_fingerprint(const struct event *event, const struct facts *facts, char out[SHA256_HEX]);

/* The same as one word that can be searched for: "pencheff" and 32 hex digits. It stands at the end of what an issue says. */
enum { ALERT_MARKER_TEXT = sizeof "pencheff" + 32 };
void alert_marker(const struct event *event, const struct facts *facts, char out[ALERT_MARKER_TEXT]);

/*
 * The name of the alert, the same for all that is told about one weakness; for a scan one for each type of event. Without an
 * event: of a test.
 */
void alert_key(const struct event *event, const struct facts *facts, char out[ALERT_KEY_TEXT]);
/* KEY has the form of the name of a finding's alert; NULL has not. */
bool alert_is_key(const char *key);

/*
 * The name of the alert that stands for a conversation's finding: the one under which it was told before, so that a finding that
 * is renamed keeps its alert, else one of its own. A name that cannot be one of ours is forgotten, with all that was told before.
 * Lives as long as the conversation.
 */
const char *alert_key_kept(struct conversation *c);

#endif
