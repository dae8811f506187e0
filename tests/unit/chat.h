#ifndef NOTIFY_TESTS_CHAT_H
#define NOTIFY_TESTS_CHAT_H

#include <json-c/json.h>

#include "common/destinations/dest.h"

/*
 * What the tests of destinations share that show messages to people. A kind whose body is only a part of a document, or
 * whose texts are not all in facts and event, gives a builder of its own around the kind's.
 */

/* The body that BUILD makes, which must be one JSON document; to be freed with json_object_put. */
struct json_object *chat_render(dest_body_builder *build, const struct event *event,
                                const struct facts *facts, int layout);

/* TEXT in place of everything that anybody else writes. */
void chat_fill(struct facts *facts, struct event *event, const char *text);

/* A message of BYTES as sent; TEXT is what chat_each was given. */
typedef void chat_see(struct json_object *body, size_t bytes, const char *text);

/* Calls SEE with a message of every type of event full of TEXT; NULL: nothing is known of anything. */
void chat_each(dest_body_builder *build, int layout, const char *text, chat_see *see);

/* The same with very long texts, each of one letter again and again: of every width, of those that escapes make longer,
 * and of those that begin some markup. With valgrind only some letters. */
void chat_each_long(dest_body_builder *build, int layout, chat_see *see);

/* ---- what stands in a message ---- */

/* The text KEY of OBJECT; "no text" when that is no text. */
const char *chat_text(struct json_object *object, const char *key);
/* Of the list KEY of OBJECT; NULL when there is none. */
struct json_object *chat_item(struct json_object *object, const char *key, size_t index);
/* UTF-16 units, counted in another way than the product does. */
size_t chat_units(const char *text);
/* Of the text KEY of OBJECT; 0 when there is none. */
size_t chat_units_at(struct json_object *object, const char *key);

#endif
