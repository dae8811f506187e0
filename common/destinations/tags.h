#ifndef NOTIFY_DESTINATIONS_TAGS_H
#define NOTIFY_DESTINATIONS_TAGS_H

#include "common/destinations/dest_config.h"

/*
 * The tags or labels of an event, by which people filter: security, pencheff, and of a finding owasp-<code> and cwe-<n>
 * (compat.md section 5), then those of the settings. None holds anything but letters, digits and hyphens, unless the
 * settings say so; none stands twice, in letters of either case.
 */
enum { TAGS_MAX = 4 + DEST_CONFIG_LIST_MAX };

struct tags {
    const char *items[TAGS_MAX];
    size_t count;
};

/* EVENT and FACTS are NULL for a test. OWN may be NULL; its texts are borrowed, others live in the arena or are static. */
void tags_build(struct tags *out, struct arena *arena, const struct event *event, const struct facts *facts,
                const struct dest_config_list *own);

/* "labels":["security","pencheff"], as a member of the object that B holds; nothing when there are none. */
void tags_add_json(struct buf *b, const char *key, const char *const *items, size_t count);

#endif
