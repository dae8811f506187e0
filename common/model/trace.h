#ifndef NOTIFY_MODEL_TRACE_H
#define NOTIFY_MODEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"

/*
 * Which trace something belongs to: W3C Trace Context, https://www.w3.org/TR/trace-context/ (sections 3.2 and 3.3). What came is
 * kept as bytes and printed again, so a header of ours never repeats what somebody else spelled.
 */
enum {
    TRACE_ID_SIZE = 16,
    TRACE_SPAN_SIZE = 8,
    TRACE_ID_TEXT = 2 * TRACE_ID_SIZE + 1,
    TRACE_PARENT_TEXT = 56, /* "00-", id, "-", span, "-", two digits of flags, NUL */
    TRACE_STATE_MAX = 512,  /* bytes of a tracestate that must be passed on (section 3.3.1.5) */
    TRACE_ROW_TEXT = TRACE_PARENT_TEXT + 1 + TRACE_STATE_MAX,
};

#define TRACE_PARENT_HEADER "traceparent"
#define TRACE_STATE_HEADER  "tracestate"

struct trace {
    bool known; /* false: nobody gave one, and the rest is zero */
    unsigned char id[TRACE_ID_SIZE];
    unsigned char parent[TRACE_SPAN_SIZE];
    unsigned char flags;
    const char *state; /* a tracestate that may be sent on, borrowed; NULL: none */
};

/* N bytes of a traceparent. False, and OUT is all zero, when it is none: it is to be treated as if it were not there. */
bool trace_parse(struct trace *out, const char *text, size_t n);
/* Whether N bytes are a tracestate that can be passed on as it is: a list of key=value, 512 bytes at most. */
bool trace_state_is_good(const char *text, size_t n);

/*
 * The trace of what has none: its id follows from NAME, so that every process and every attempt makes the same. It is marked:
 * no producer knows of it, and trace_is_made tells.
 */
void trace_make(struct trace *out, const char *name);
bool trace_is_made(const struct trace *trace);

/* Lower-case digits. */
void trace_id_format(const struct trace *trace, char out[TRACE_ID_TEXT]);
/* A traceparent of version 00 that names SPAN as the parent. */
void trace_parent_format(const struct trace *trace, const unsigned char span[TRACE_SPAN_SIZE],
                         char out[TRACE_PARENT_TEXT]);

/* As the ledger keeps it: the traceparent, and behind a blank the tracestate if there is one. */
void trace_row_format(const struct trace *trace, char out[TRACE_ROW_TEXT]);
/* The other way round; the state is allocated in ARENA. False, and all zero, when it is none. */
bool trace_row_parse(struct trace *out, struct arena *arena, const char *text, size_t n);

#endif
