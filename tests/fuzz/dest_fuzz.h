#ifndef NOTIFY_TESTS_DEST_FUZZ_H
#define NOTIFY_TESTS_DEST_FUZZ_H

#include <json-c/json.h>

#include "common/destinations/dest.h"

/*
 * What must hold for every destination, whatever the settings, the texts and the answers are. A destination's fuzz target
 * fills one of these and hands its inputs to dest_fuzz_run, which checks:
 *
 *   settings   that are refused are refused with a reason and advice that repeats nothing of them;
 *   requests   are well formed, and no secret of the settings stands in their body;
 *   bodies     are one JSON document; the same facts with a harmless character in place of each text give the same
 *              document but for strings, and each string is what that one says with the texts put back in its place;
 *   attempts   send the same bytes again;
 *   answers    lead to a verdict within a few steps, a success only where the kind calls the answer one;
 *   tests      end in a verdict likewise.
 */
struct dest_fuzz {
    const char *kind;
    /* Good settings, one for each layout, with DEST_FUZZ_SECRET in what nobody may see. Ends with NULL. */
    const char *const *settings;
    /* Members of the settings that hold texts. Ends with NULL. */
    const char *const *setting_keys;
    /*
     * How TEXT, which is not NULL, stands in a message. Appends nothing for a text of which nothing is to be seen. Some
     * kinds have several ways, for lines and for paragraphs, also within one string: WAY counts them from 0.
     */
    void (*show)(struct buf *out, const char *text, int way);
    int ways;
    /* What becomes of a string as a whole when the texts are in it, for a kind whose escapes depend on what stands before.
     * NULL: nothing, show does all of it. */
    void (*escape)(struct buf *out, const char *text, int way);
    bool shows_empty;    /* an empty text is not the same as none */
    bool cuts;           /* a long text or string may end early, in U+2026 */
    bool secret_in_body; /* the vendor wants the credential there */
    /* Make of TWIN, the harmless document, what it would be with texts as long as those of HOSTILE; markup that depends on
     * what it is around may be made the same in both. NULL: lengths change nothing. */
    void (*align)(struct json_object *hostile, struct json_object *twin);
    /* What else the kind promises of the first request of an event; BODY is its body. May be NULL. */
    void (*check_request)(const struct dest_request *request, struct json_object *body);
    /* What it promises of every request; BODY is NULL when there is none. May be NULL. */
    void (*check_each)(const struct dest_request *request, struct json_object *body);
    /* The last answer of a conversation means success. */
    bool (*is_success)(const struct dest_response *answer);
};

#define DEST_FUZZ_SECRET "s3cr3t-0123456789"

/* For LLVMFuzzerTestOneInput. Always 0. */
int dest_fuzz_run(const struct dest_fuzz *d, const uint8_t *data, size_t size);

#endif
