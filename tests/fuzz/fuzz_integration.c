/*
 * Rows of `integrations` with any text in any column. Whatever is read can be matched, and what it points to
 * is whole; a list that is there never opens a filter. And lists and bytes that are written as PostgreSQL writes them
 * are read as what they are.
 */
#include "common/base/buf.h"
#include "common/model/integration_read.h"
#include "common/model/match.h"
#include "tests/fuzz/fuzz.h"

enum { ITEMS_MOST = 8 };

static const char id[] = "33333333-3333-4333-8333-333333333333";

/* The canonical form, read a second time. */
static bool is_uuid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t i = 0;
    for (; text[i] && form[i]; i++)
        if (form[i] == 'x' ? !strchr("0123456789abcdefABCDEF", text[i]) : text[i] != form[i])
            return false;
    return text[i] == 0 && form[i] == 0;
}

/* An element as array_out writes it, which may quote more than it has to; an empty text stands for NULL. */
static void add_element(struct buf *out, const char *text)
{
    buf_add_char(out, out->len ? ',' : '{');
    if (!*text) {
        buf_add_text(out, "NULL");
        return;
    }
    buf_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

/* As byteaout writes them. */
static void add_bytes(struct buf *out, const char *bytes, size_t n)
{
    buf_add_text(out, "\\x");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x", (unsigned char)bytes[i]);
}

static void check_written(struct arena *a, struct fuzz_input in)
{
    struct integration out;
    struct buf list, bytes;
    uint32_t mask = 0;
    size_t count = 0, n;
    buf_init(&list, 1 << 20);
    buf_init(&bytes, 1 << 20);
    const char *token = fuzz_text(&in, a, &n);
    add_bytes(&bytes, token, n);
    for (int i = 0; i == 0 || (i < ITEMS_MOST && in.size > 0); i++) {
        const char *item = fuzz_text(&in, a, NULL);
        int type = event_type_parse(item);
        add_element(&list, item);
        mask |= type >= 0 ? 1u << type : 0;
        count += is_uuid(item);
    }
    buf_add_char(&list, '}');
    struct integration_columns c = {.id = id,
                                    .workspace_id = id,
                                    .target_ids = buf_text(&list),
                                    .events = buf_text(&list),
                                    .config_encrypted = buf_text(&bytes)};
    check(integration_read(a, &out, &c) && out.target_ids && !out.all_events);
    check(out.event_mask == mask && out.target_count == count);
    check(out.config_size == n && memcmp(out.config_encrypted, token, n) == 0);
    buf_free(&list);
    buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct integration out;
    struct arena a;
    size_t touched = 0;
    arena_init(&a, 64);
    uint8_t given = fuzz_byte(&in);
    check_written(&a, in);
    struct integration_columns c = {
        .id = given & 64 ? fuzz_text(&in, &a, NULL) : id,
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
    bool good = integration_read(&a, &out, &c);
    check(good == is_uuid(c.id));
    if (!good) {
        arena_free(&a);
        return 0;
    }
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
