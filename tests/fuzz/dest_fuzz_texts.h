#ifndef NOTIFY_TESTS_DEST_FUZZ_TEXTS_H
#define NOTIFY_TESTS_DEST_FUZZ_TEXTS_H

#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/fuzz.h"

/* An event and its facts with hostile texts, and the same with harmless ones. */
struct dest_fuzz_case {
    struct event event, twin_event;
    struct facts facts, twin_facts;
};

void dest_fuzz_case_read(const struct dest_fuzz *d, struct fuzz_input *in, struct arena *a,
                         struct dest_fuzz_case *out);
/* HOSTILE and TWIN are the bodies of the two events of C. TWIN is changed. */
void dest_fuzz_case_compare(const struct dest_fuzz *d, const struct dest_fuzz_case *c,
                            struct json_object *hostile, struct json_object *twin);

#endif
