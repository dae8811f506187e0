/*
 * Rows of `integrations` with any text in any column. Whatever is read can be matched, and what it points to
 * is whole; a list that is there never opens a filter.
 */
#include "common/model/integration_read.h"
#include "common/model/match.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct integration out;
    struct arena a;
    size_t touched = 0;
    arena_init(&a, 64);
    uint8_t given = fuzz_byte(&in);
    struct integration_columns c = {
        .id = "33333333-3333-4333-8333-333333333333",
        .workspace_id = "44444444-4444-4444-8444-444444444444",
        .enabled = "t",
        .severity_filter = "info",
        .target_ids = given & 1 ? fuzz_text(&in, &a, NULL) : NULL,
        .events = given & 2 ? fuzz_text(&in, &a, NULL) : NULL,
        .target_kinds = given & 4 ? fuzz_text(&in, &a, NULL) : NULL,
        .config_encrypted = given & 8 ? fuzz_text(&in, &a, NULL) : NULL,
        .name = given & 16 ? fuzz_text(&in, &a, NULL) : NULL,
        .kind = given & 32 ? fuzz_text(&in, &a, NULL) : NULL,
    };
    check(integration_read(&a, &out, &c));
    check((out.target_ids == NULL) == (!c.target_ids || strcmp(c.target_ids, "{}") == 0));
    check(out.all_events == (!c.events || strcmp(c.events, "{}") == 0));
    check(out.all_target_kinds == (!c.target_kinds || strcmp(c.target_kinds, "null") == 0));
    check(out.event_mask < 1u << EVENT_TYPE_COUNT && (!out.all_events || out.event_mask == 0));
    for (size_t i = 0; i < out.target_kind_count; i++)
        touched += strlen(out.target_kinds[i]);
    for (size_t i = 0; i < out.target_count; i++)
        touched += out.target_ids[i].bytes[15];
    for (size_t i = 0; i < out.config_size; i++)
        touched += out.config_encrypted[i];
    touched += strlen(out.name) + strlen(out.kind);
    struct facts facts = {.target.kind = "url", .has_finding = true, .finding.severity = SEVERITY_LOW};
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        touched += match_integration(&out, (enum event_type)type, &facts);
    check(touched < SIZE_MAX);
    arena_free(&a);
    return 0;
}
