#ifndef NOTIFY_DESTINATIONS_REQUEST_MASK_H
#define NOTIFY_DESTINATIONS_REQUEST_MASK_H

#include "common/destinations/dest.h"

#define REQUEST_MASK_STARS "***"

/*
 * A request as people may see it: what it takes from settings that are secret becomes stars. SETTINGS is the object of the
 * integration's settings, as their JSON was read.
 */

/* Append URL to OUT: each piece of its path and query that stands, whole, in a URL among SETTINGS as stars. */
void request_mask_url(struct buf *out, struct json_object *settings, const char *url);
/* Whether the value of this header says nothing about who we are to the destination. */
bool request_mask_header_is_harmless(const char *header);
/* The body of REQUEST, with as many bytes and a NUL behind; the credential that a vendor wants in it is stars. In the arena. */
char *request_mask_body(struct arena *arena, const struct dest_request *request);

#endif
