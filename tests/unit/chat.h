#ifndef NOTIFY_TESTS_CHAT_H
#define NOTIFY_TESTS_CHAT_H

#include <json-c/json.h>

#include "common/destinations/dest.h"

/* What the tests of destinations share that show messages to people. */

/* The body that BUILD makes, which must be one JSON document; to be freed with json_object_put. */
struct json_object *chat_render(dest_body_builder *build, const struct event *event,
                                const struct facts *facts, int layout);

/* TEXT in place of everything that anybody else writes. */
void chat_fill(struct facts *facts, struct event *event, const char *text);

/* Calls SEE with a message of every type of event full of very long texts, of letters of every width and of those that
 * escapes make longer; LETTER is what the texts are made of. With valgrind only some letters. */
void chat_each_long(dest_body_builder *build, int layout,
                    void (*see)(struct json_object *body, size_t bytes, const char *letter));

#endif
