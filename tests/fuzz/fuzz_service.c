/*
 * Requests to the service layer: bodies, cursors, ids and headers of any bytes. A call is refused with words that say what to
 * do, or its parameters can be sent to PostgreSQL as they are; and no error says what settings hold.
 *
 * Input: a byte for the call, five texts that end with NUL (a NUL at once: not given), and a body. MARK, as a value in
 * settings, must not come back in what is said of them.
 */
#include "api/service/service.h"
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#define WORKSPACE "11111111-1111-4111-8111-111111111111"
#define MARK      "Zq9.Zq9.Zq9"

enum { TEXTS = 5, BLOCK = 4096 };

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

static void make(struct service_call *call, const struct service_caller *caller, unsigned which,
                 const char *const *t, const char *body, size_t size)
{
    struct service_delivery_filter filter = {.limit = given(t[0]),
                                             .cursor = given(t[1]),
                                             .state = which & 64 ? "dead" : NULL,
                                             .reason = given(t[2]),
                                             .integration = which & 32 ? given(t[3]) : NULL,
                                             .event = given(t[4])};
    struct service_question question = {given(t[0]), given(t[1]), given(t[2]), given(t[3]), given(t[4])};
    switch (which % 13) {
    case 0:
        service_integration_list(call, caller, given(t[0]), given(t[1]));
        break;
    case 1:
        service_integration_get(call, caller, t[0]);
        break;
    case 2:
        service_integration_create(call, caller, body, size, given(t[0]));
        break;
    case 3:
        service_integration_update(call, caller, which & 64 ? WORKSPACE : t[0], body, size, given(t[1]));
        break;
    case 4:
        service_integration_delete(call, caller, t[0], given(t[1]));
        break;
    case 5:
        service_delivery_list(call, caller, &filter);
        break;
    case 6:
        service_delivery_get(call, caller, t[0], which & 64 ? WORKSPACE : t[1]);
        break;
    case 7:
        service_delivery_replay(call, caller, t[0], which & 64 ? WORKSPACE : t[1]);
        break;
    case 8:
        service_delivery_replay_list(call, caller, body, size);
        break;
    case 9:
        service_delivery_drop_list(call, caller, body, size);
        break;
    case 10:
        service_explain(call, caller, &question);
        break;
    case 11:
        service_target_list(call, caller, given(t[0]), given(t[1]));
        break;
    default:
        service_token_revoke(call, caller, t[0]);
        break;
    }
}

static void check_said(const char *text)
{
    check(text && *text && utf8_is_storable(text, strlen(text)));
}

static void check_refused(struct service_call *call)
{
    service_finish(call);
    check(call->status >= SERVICE_UNREADABLE);
    check_said(call->detail);
    check(call->status != SERVICE_INVALID || call->error_count > 0);
    for (size_t i = 0; i < call->error_count; i++) {
        const struct service_error *e = &call->errors[i];
        check(e->field && utf8_is_storable(e->field, strlen(e->field)));
        check_said(e->detail);
        if (strncmp(e->field, "config", 6) == 0 && !strstr(e->field, MARK))
            check(!strstr(e->detail, MARK));
    }
}

static void check_steps(const struct service_call *call)
{
    for (size_t i = 0; i < call->step_count; i++) {
        const struct service_step *step = &call->steps[i];
        check(step->count == api_statements[step->statement].params);
        for (int n = 0; n < step->count; n++)
            if (step->values[n])
                check(utf8_is_storable(step->values[n], strlen(step->values[n])));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const key = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    static struct fernet_keys keys;
    struct fuzz_input in = {data, size};
    struct service_caller caller = {WORKSPACE, "0123456789abcdef", "fuzz", &keys};
    struct service_call call;
    struct arena arena;
    const char *texts[TEXTS];
    size_t bad;
    if (!keys.count)
        check(fernet_keys_init(&keys, &key, 1, &bad));
    arena_init(&arena, BLOCK);
    unsigned which = fuzz_byte(&in);
    for (int i = 0; i < TEXTS; i++)
        texts[i] = fuzz_text(&in, &arena, NULL);
    const char *body = arena_text(&arena, (const char *)in.data, in.size);
    make(&call, &caller, which, texts, body, in.size);
    if (call.step_count == 0)
        check_refused(&call);
    else
        check_steps(&call);
    service_end(&call);
    arena_free(&arena);
    return 0;
}
