#ifndef NOTIFY_DESTINATIONS_OPSGENIE_H
#define NOTIFY_DESTINATIONS_OPSGENIE_H

#include "common/destinations/dest_config.h"

/*
 * The parts of the Opsgenie destination, for opsgenie*.c and their tests only: everybody else sees dest.h.
 *
 * Opsgenie's limits (docs.opsgenie.com/docs/alert-api), in UTF-16 units because it does not say in what. A message that is
 * longer is refused, with 422; JSM Operations, which takes over, has the same ones.
 */
enum {
    OPSGENIE_MESSAGE_MAX = 130,
    OPSGENIE_ALIAS_MAX = 512,
    OPSGENIE_DESCRIPTION_MAX = 15000,
    OPSGENIE_DETAILS_MAX = 8000, /* of all keys and values together */
    OPSGENIE_ENTITY_MAX = 512,
    OPSGENIE_NOTE_MAX = 25000,
    OPSGENIE_TAGS_MAX = 20,
    OPSGENIE_TAG_MAX = 50,
    OPSGENIE_KEY_MAX = 200, /* bytes; ours: keys are UUIDs */
};

struct opsgenie_config {
    const char *alerts_url;    /* ends in /v2/alerts */
    const char *authorization; /* of the header, with the key */
};

/* Layouts: the alert without its alias, which is not the same for all integrations; a note to it; the note that says why it is
 * closed; its priority. */
enum opsgenie_layout { OPSGENIE_ALERT, OPSGENIE_NOTE, OPSGENIE_END, OPSGENIE_PRIORITY };

dest_body_builder opsgenie_body_build;

/*
 * The verdict on an answer to a request that changes an alert. Delivered is a 2xx with the id of a request: Opsgenie
 * processes it later, and does not say here whether it will.
 */
dest_judge opsgenie_judge;

extern const struct dest_setting opsgenie_settings[];
/* dest.config_parse; see dest.h. */
const void *opsgenie_config_parse(struct arena *arena, const char *json, size_t size,
                                  struct dest_config_error *error);

#endif
