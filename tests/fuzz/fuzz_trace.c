/*
 * Trace headers from anywhere: what is read can be written, and is read again as the same; what is passed on can stand in a header
 * and in a row of the ledger.
 *
 * Input: a traceparent, a NUL, a tracestate, a NUL, a row.
 */
#include "common/model/trace.h"
#include "tests/fuzz/fuzz.h"

static void check_same(const struct trace *a, const struct trace *b)
{
    check(a->known && b->known && a->flags == b->flags);
    check(memcmp(a->id, b->id, sizeof a->id) == 0 && memcmp(a->parent, b->parent, sizeof a->parent) == 0);
    check(!a->state == !b->state && (!a->state || strcmp(a->state, b->state) == 0));
}

static void check_written(const struct trace *t)
{
    struct trace again;
    char text[TRACE_PARENT_TEXT], id[TRACE_ID_TEXT];
    trace_parent_format(t, t->parent, text);
    check(strlen(text) == TRACE_PARENT_TEXT - 1 && strspn(text, "0123456789abcdef-") == strlen(text));
    trace_id_format(t, id);
    check(memcmp(text + 3, id, TRACE_ID_TEXT - 1) == 0 && strspn(id, "0") < TRACE_ID_TEXT - 1);
    check(trace_parse(&again, text, strlen(text)));
    again.state = t->state;
    check_same(t, &again);
}

static void check_row(const struct trace *t, struct arena *a)
{
    struct trace again;
    char row[TRACE_ROW_TEXT];
    trace_row_format(t, row);
    check(strlen(row) < sizeof row && trace_row_parse(&again, a, row, strlen(row)));
    check_same(t, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct arena a;
    struct trace t;
    size_t parent_n, state_n, row_n;
    arena_init(&a, 256);
    const char *parent = fuzz_text(&in, &a, &parent_n), *state = fuzz_text(&in, &a, &state_n),
               *row = fuzz_text(&in, &a, &row_n);
    bool good = trace_parse(&t, parent, parent_n);
    check(good == t.known);
    if (trace_state_is_good(state, state_n)) {
        check(state_n <= TRACE_STATE_MAX && strlen(state) == state_n);
        for (size_t i = 0; i < state_n; i++)
            check(state[i] >= ' ' && state[i] <= '~');
        if (good)
            t.state = state;
    }
    if (good) {
        check_written(&t);
        check_row(&t, &a);
    }
    if (trace_row_parse(&t, &a, row, row_n))
        check_row(&t, &a);
    arena_free(&a);
    return 0;
}
