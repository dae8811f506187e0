/*
 * raw_trace - the trace of a message that is not yet understood
 *
 * Pure. The two headers are W3C's, and OpenTelemetry puts them into messages under the same names. Whatever they hold, the message
 * is as good as without them: it is never refused for its trace.
 */
#include "worker/raw_trace.h"

#include <string.h>

static const struct raw_header *text_header(const struct raw_message *raw, const char *name)
{
    const struct raw_header *h = raw_message_header(raw, name);
    return h && h->kind == RAW_HEADER_TEXT ? h : NULL;
}

struct trace raw_trace(const struct raw_message *raw)
{
    struct trace trace = {0};
    const struct raw_header *parent = text_header(raw, TRACE_PARENT_HEADER);
    if (!parent || !trace_parse(&trace, parent->text, parent->size))
        return trace;
    const struct raw_header *state = text_header(raw, TRACE_STATE_HEADER);
    if (state && trace_state_is_good(state->text, state->size))
        trace.state = state->text;
    return trace;
}
