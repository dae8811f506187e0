#ifndef NOTIFY_DESTINATIONS_WEBHOOK_H
#define NOTIFY_DESTINATIONS_WEBHOOK_H

#include "common/destinations/dest.h"

/*
 * The parts of the webhook destination, for webhook.c and its tests only: everybody else sees dest.h.
 * A secret is kept twice: as it is spelled, for X-Pencheff-Signature, and as the key of the Standard Webhooks
 * signature, which is the decoded one where the spelling starts with whsec_.
 */
enum { WEBHOOK_HEADERS_MAX = 12, WEBHOOK_SECRET_MAX = 1024 };

struct webhook_config {
    const char *url;
    const char *secret; /* NULL: unsigned */
    size_t secret_size;
    const unsigned char *key;
    size_t key_size;
    struct dest_header headers[WEBHOOK_HEADERS_MAX]; /* the user's own */
    size_t header_count;
};

extern const struct dest_setting webhook_settings[];
/* dest.config_parse; see dest.h. Keys it does not know are ignored. */
const void *webhook_config_parse(struct arena *arena, const char *json, size_t size,
                                 struct dest_config_error *error);

/* The body of contract section 5, version 1; one layout. */
dest_body_builder webhook_body_build;

#endif
