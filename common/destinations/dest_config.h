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

/*
 * As dest_config_url, but without the member DEFAULT, which is borrowed. For the base of an API: a slash at its end is
 * taken off, and a query or fragment is refused.
 */
const char *dest_config_base_url(struct arena *arena, struct json_object *root, const char *key,
                                 const char *whose, const char *fallback, struct dest_config_error *error);

/* Whether the URL's host is HOST or, when that begins with a dot, ends in it. Letters of either case; a port counts for
 * nothing. */
bool dest_config_host_is(const char *url, const char *host);
/* Whether the URL ends in END, letters of the same case. */
bool dest_config_ends_in(const char *url, const char *end);

/*
 * The member KEY as a text of one line that may stand in a header: at least one byte, at most MAX, no control characters,
 * no blanks at its ends. A copy in the arena. The required one is NULL with *ERROR filled when it is missing or wrong,
 * and WHERE says in the advice where to find it ("the integration's key in PagerDuty"). The optional one is in *OUT, NULL
 * when it is missing or empty; false with *ERROR filled when it is wrong.
 */
const char *dest_config_word(struct arena *arena, struct json_object *root, const char *key, size_t max,
                             const char *where, struct dest_config_error *error);
bool dest_config_optional(struct arena *arena, struct json_object *root, const char *key, size_t max,
                          const char **out, struct dest_config_error *error);

/*
 * The optional member KEY as a list of at most LIST_MAX such texts of at most MAX bytes each; none when it is missing.
 * False with *ERROR filled when it is something else.
 */
enum { DEST_CONFIG_LIST_MAX = 20 };

struct dest_config_list {
    const char *items[DEST_CONFIG_LIST_MAX];
    size_t count;
};

bool dest_config_list(struct arena *arena, struct json_object *root, const char *key, size_t list_max,
                      size_t max, struct dest_config_list *out, struct dest_config_error *error);

/* The layouts of a chat message (contract section 5), numbered as in dest_body_cache. */
enum dest_style { DEST_STYLE_CARD, DEST_STYLE_TEXT };

/* The optional member `style`: "card" (the default) or "text". False with *ERROR filled. */
bool dest_config_style(struct json_object *root, enum dest_style *out, struct dest_config_error *error);

#endif
