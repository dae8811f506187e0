#ifndef NOTIFY_TESTS_DEST_FUZZ_CHECKS_H
#define NOTIFY_TESTS_DEST_FUZZ_CHECKS_H

#include <json-c/json.h>

#include "common/destinations/dest.h"
#include "common/destinations/text.h"

/* What the fuzz targets of several kinds check, each function with check(). */

/* ---- what stands in a message ---- */

/* The text KEY of OBJECT, which must be one. */
const char *dest_fuzz_text(struct json_object *object, const char *key);
/* UTF-16 units of TEXT, which is valid, counted in another way than the product does. */
size_t dest_fuzz_units(const char *text);
/* TEXT is valid, not empty, and has nothing that cannot be seen; with LINES it may break lines. Its units. */
size_t dest_fuzz_check_seen(const char *text, bool lines);
/* No bracket is left, and each & begins an entity of ours. */
void dest_fuzz_check_entities(const char *text);
/* The items of LIST are codes: small letters, digits and hyphens. */
void dest_fuzz_check_codes(struct json_object *list);

/* ---- how a text stands in a message (show in dest_fuzz.h) ---- */

/* Cleaned, lines first, then paragraphs. */
void dest_fuzz_show_clean(struct buf *out, const char *text, int way);
/* Cleaned, then escaped. */
void dest_fuzz_show_escaped(struct buf *out, const char *text, enum text_shape shape, text_escape *escape);

/* ---- answers ---- */

/* The body came whole, and is a JSON object whose member KEY is of TYPE. */
bool dest_fuzz_answer_has(const struct dest_response *answer, const char *key, enum json_type type);

#endif
