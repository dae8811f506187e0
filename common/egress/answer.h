#ifndef NOTIFY_EGRESS_ANSWER_H
#define NOTIFY_EGRESS_ANSWER_H

#include "common/destinations/dest.h"

/* What is kept of an answer while it arrives: the body up to its cap, and the few header fields that destinations read. */
enum {
    ANSWER_VALUE_MAX =
        1024 /* bytes of one field, which the next page of a list may need; of a longer one nothing is kept */
};

struct answer {
    struct buf body;
    struct buf values;             /* one behind the other, each with its NUL */
    size_t at[ANSWER_FIELD_COUNT]; /* in VALUES, counted from 1; 0: not there */
    size_t header_bytes;
    size_t headers_max;
    bool headers_too_large;
    bool cut; /* more body than the cap came */
};

/* BODY_MAX and HEADERS_MAX: bytes. No memory is taken before something arrives. */
void answer_init(struct answer *a, size_t body_max, size_t headers_max);
void answer_free(struct answer *a);
/* Forget everything, for the next request, whose body may have BODY_MAX bytes; a buffer that became larger than that is
 * given back. */
void answer_reset(struct answer *a, size_t body_max);

/* One line of the header, with its line end; the status line counts too. False when all of them are too large. */
bool answer_add_header(struct answer *a, const char *line, size_t n);
/* False when the cap is reached: the rest is not wanted. */
bool answer_add_body(struct answer *a, const char *bytes, size_t n);

/* Fill body, fields and truncated of R; borrowed from A. */
void answer_fill(const struct answer *a, struct dest_response *r);

#endif
