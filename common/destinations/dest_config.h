#ifndef NOTIFY_DESTINATIONS_DEST_CONFIG_H
#define NOTIFY_DESTINATIONS_DEST_CONFIG_H

#include <json-c/json.h>

#include "common/destinations/dest.h"

/*
 * What the settings of several kinds have in common, checked once. An error text names the key, says what to
 * do, and never holds a value, for a value may be a secret. Keys that nobody asks for are ignored.
 */
enum { DEST_CONFIG_URL_MAX = 2048 }; /* bytes; docs/destinations */

/*
 * The settings as a JSON object, to be freed with json_object_put; NULL with *ERROR filled when they are
 * none.
 */
struct json_object *dest_config_read(const char *json, size_t size, struct dest_config_error *error);

/* Fill ERROR with CONFIG_INVALID and DETAIL, which is static or in the settings' arena. Always false. */
bool dest_config_fail(struct dest_config_error *error, const char *detail);

/* The string VALUE, borrowed, its bytes in *N; NULL when it is no string or holds a NUL. */
const char *dest_config_text(struct json_object *value, size_t *n);

/*
 * The required member KEY as a URL that can be put into a request as it is: http:// or https://, a host, no
 * blanks and control characters, at most DEST_CONFIG_URL_MAX bytes. A copy in the arena; NULL with *ERROR
 * filled. WHOSE says in the advice whose address is missing ("the receiver's").
 */
const char *dest_config_url(struct arena *arena, struct json_object *root, const char *key, const char *whose,
                            struct dest_config_error *error);

/* The layouts of a chat message (contract section 5), numbered as in dest_body_cache. */
enum dest_style { DEST_STYLE_CARD, DEST_STYLE_TEXT };

/* The optional member `style`: "card" (the default) or "text". False with *ERROR filled. */
bool dest_config_style(struct json_object *root, enum dest_style *out, struct dest_config_error *error);

#endif
