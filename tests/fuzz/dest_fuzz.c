/*
 * dest_fuzz - what must hold for every destination
 *
 * Input, in texts that end with NUL but for single bytes: settings; which of the good settings, how much room a body
 * has; answers (see read_answer), of which a conversation takes as many as it asks for; then an event with all of
 * its texts (dest_fuzz_texts.c); and at last what was told before, for kinds that remember (read_reference).
 */
#include "tests/fuzz/dest_fuzz.h"

#include <strings.h>

#include "common/base/http_time.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/destinations/life.h"
#include "tests/fuzz/dest_fuzz_texts.h"
#include "tests/fuzz/json_check.h"

enum {
    STEPS_MOST = 12,
    FIELD_MOST = 256,
    BODY_ROOM = 1 << 20,
    ROOM_STEP = 16,
    ROOM_ENOUGH = 255 * ROOM_STEP
};

#define MARK "Zq9.Zq9.Zq9"

/* ---- settings ---- */

static bool is_on_one_line(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return utf8_is_storable(text, strlen(text));
}

/* Advice is there, and it holds nothing of the settings. */
static void check_refused(const struct dest_config_error *error, const char *secret)
{
    check(error->reason != REASON_NONE && error->reason < REASON_COUNT);
    check(error->detail && *error->detail && is_on_one_line(error->detail));
    check(!strstr(error->detail, secret));
}

/* The good settings with KEY changed to VALUE, which is taken. */
static void try_setting(const struct dest_fuzz *d, struct arena *a, const char *key,
                        struct json_object *value)
{
    struct dest_config_error error = {.reason = REASON_NONE};
    const char *why;
    struct json_object *root = json_parse(d->settings[0], strlen(d->settings[0]), &why);
    json_object_object_add(root, key, value);
    const char *text = json_object_to_json_string(root);
    if (!dest_find(d->kind)->config_parse(a, text, strlen(text), &error))
        check_refused(&error, MARK);
    json_object_put(root);
}

/* A person mistypes one of them, as a text, as a member's name and value, in a list. */
static void try_settings(const struct dest_fuzz *d, struct arena *a, const char *hostile)
{
    const char *text = arena_printf(a, "%s" MARK, hostile);
    for (const char *const *key = d->setting_keys; *key; key++) {
        struct json_object *object = json_object_new_object(), *list = json_object_new_array();
        json_object_object_add(object, text, json_object_new_string(text));
        json_object_array_add(list, json_object_new_string(text));
        try_setting(d, a, *key, json_object_new_string(text));
        try_setting(d, a, *key, object);
        try_setting(d, a, *key, list);
    }
}

/* ---- requests ---- */

static void check_line(const char *text)
{
    for (; *text; text++)
        check((unsigned char)*text >= 0x20 && *text != 0x7f);
}

/* What curl and HTTP say, and nobody else may (RFC 9112 section 6, RFC 9110 section 7). */
static void check_header_name(const char *name)
{
    static const char *const others[] = {"Host",       "Content-Length", "Transfer-Encoding",
                                         "Connection", "Expect",         "Upgrade"};
    check(*name && !strpbrk(name, " :\t\r\n"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        check(strcasecmp(name, others[i]) != 0);
}

static void check_request(const struct dest_request *r)
{
    check(r->method && strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(r->method));
    check(strncasecmp(r->url, "https://", 8) == 0 || strncasecmp(r->url, "http://", 7) == 0);
    check(strlen(r->url) < 8192 && !strchr(r->url, ' '));
    check_line(r->url);
    check(r->header_count <= DEST_HEADERS_MAX);
    for (size_t i = 0; i < r->header_count; i++) {
        check_header_name(r->headers[i].name);
        check_line(r->headers[i].name);
        check_line(r->headers[i].value);
        for (size_t other = 0; other < i; other++)
            check(strcasecmp(r->headers[i].name, r->headers[other].name) != 0);
    }
}

/* The document in R's body. */
static struct json_object *read_body(const struct dest_request *r)
{
    const char *why;
    struct json_object *root = json_parse(r->body, r->body_size, &why);
    check(root != NULL && json_check(r->body, r->body_size, false));
    check(!memchr(r->body, '\n', r->body_size) && !memchr(r->body, 0, r->body_size));
    return root;
}

static void check_each(const struct dest_fuzz *d, const struct dest_request *r)
{
    check_request(r);
    if (!d->check_each)
        return;
    struct json_object *body = r->body ? read_body(r) : NULL;
    d->check_each(r, body);
    json_object_put(body);
}

/* ---- conversations ---- */

struct session {
    struct conversation c;
    struct conversation_job job;
    struct dest_body_cache cache;
    struct dest_request request;
};

static struct dest_reference reference; /* of the input, for every conversation about its event */

static bool refers(const struct dest *dest, const struct event *event)
{
    return event && (dest->refers == DEST_REFERS_ALWAYS ||
                     (dest->refers == DEST_REFERS_FINDINGS && event_is_about_finding(event->type)));
}

/* A byte of flags, the key, the title. */
static void read_reference(struct fuzz_input *in, struct arena *a)
{
    size_t n;
    uint8_t flags = fuzz_byte(in);
    reference = (struct dest_reference){.unsure = flags & 1, .known = flags & 2, .open = flags & 4};
    reference.severity = (enum severity)(flags / 8 % SEVERITY_COUNT);
    const char *key = fuzz_text(in, a, &n), *title = fuzz_text(in, a, &n);
    reference.key = reference.known ? key : NULL;
    reference.title = reference.known ? title : NULL;
    reference.unsure_since_us = reference.unsure ? INT64_C(1795312000000000) : 0;
}

static enum dest_next begin(const struct dest_fuzz *d, struct session *s, struct arena *a, const void *config,
                            const struct event *event, const struct facts *facts, int attempt, size_t room)
{
    memset(s, 0, sizeof *s);
    dest_body_cache_init(&s->cache, room);
    s->job = (struct conversation_job){.event = event, .facts = facts, .webhook_id = "0123"};
    s->c = (struct conversation){.config = config,
                                 .is_test = event == NULL,
                                 .jobs = &s->job,
                                 .job_count = 1,
                                 .attempt = attempt,
                                 .now_us = INT64_C(1795312755000000) * attempt,
                                 .cache = &s->cache,
                                 .arena = a};
    if (refers(dest_find(d->kind), event))
        s->c.reference = reference;
    return dest_find(d->kind)->next(&s->c, NULL, &s->request);
}

/* A status with a body, or a transport error: two bytes, a byte for Retry-After, the body, which may stand in the header
 * fields too. */
static void read_answer(struct fuzz_input *in, struct arena *a, struct dest_response *out, char **body)
{
    size_t n;
    uint8_t kind = fuzz_byte(in), status = fuzz_byte(in);
    memset(out, 0, sizeof *out);
    out->retry_after = fuzz_byte(in);
    const char *text = fuzz_text(in, a, &n);
    *body = mem_alloc(n + 1); /* a block of its own size */
    memcpy(*body, text, n + 1);
    out->received_us = INT64_C(1795312755000000);
    for (int i = 0; kind & 16 && n > 0 && n <= FIELD_MOST && i < ANSWER_FIELD_COUNT; i++)
        out->fields[i] = text;
    out->body = *body;
    out->body_size = n;
    out->truncated = kind & 1;
    if (kind & 2) {
        out->error = (enum error_word)(1 + status % (ERROR_WORD_COUNT - 1));
        out->error_text = kind & 4 ? text : NULL;
        out->retry_after = 0;
        return;
    }
    static const long usual[] = {200, 201, 202, 204, 301, 400, 401, 403,
                                 404, 408, 410, 422, 425, 429, 500, 503};
    out->status = kind & 8 ? usual[status % 16] : 100 + status * 900L / 256;
}

static void skip_answer(struct fuzz_input *in, struct arena *a)
{
    struct dest_response answer;
    char *body;
    read_answer(in, a, &answer, &body);
    free(body);
}

/* The last answer of a test is not always what says that it went well: an issue may have to be deleted again. */
static void check_verdict(const struct dest_fuzz *d, const struct verdict *v, const struct dest_response *r,
                          bool is_test)
{
    bool delivered = v->kind == VERDICT_DELIVERED;
    check(v->kind != VERDICT_NONE && v->kind <= VERDICT_AGAIN);
    check((v->kind == VERDICT_REJECTED) == (v->reason != REASON_NONE) && v->reason < REASON_COUNT);
    /* What was told before may be updated in several steps, of which one may be missing. */
    bool simple = !is_test && !reference.known && !reference.unsure;
    check(!simple || !delivered || (r->error == ERROR_NONE && r->status >= 200 && r->status < 300));
    check(!simple || delivered == (r->error == ERROR_NONE && d->is_success(r)));
    bool good = delivered || v->kind == VERDICT_NOTHING_TO_DO || v->kind == VERDICT_AGAIN;
    check(good == (v->error == ERROR_NONE) && v->error < ERROR_WORD_COUNT);
    check(v->not_before >= 0 && v->not_before <= HTTP_TIME_WAIT_MAX);
    check(v->not_before == 0 || v->kind == VERDICT_RETRY);
    check(v->kind != VERDICT_RETRY || v->not_before >= r->retry_after);
    if (v->detail && v->detail != r->error_text)
        check(is_on_one_line(v->detail) && !strstr(v->detail, DEST_FUZZ_SECRET));
    check(v->detail || delivered || r->error != ERROR_NONE);
}

/* Answer until it is over. */
static void finish(const struct dest_fuzz *d, struct session *s, struct fuzz_input *answers)
{
    struct dest_response answer;
    enum dest_next next = DEST_SEND;
    char *body = NULL;
    for (int step = 0; next == DEST_SEND; step++) {
        check(step < STEPS_MOST);
        free(body);
        read_answer(answers, s->c.arena, &answer, &body);
        next = dest_find(d->kind)->next(&s->c, &answer, &s->request);
        if (next == DEST_SEND)
            check_each(d, &s->request);
    }
    check_verdict(d, &s->job.verdict, &answer, s->c.is_test);
    free(body);
}

/* Another attempt, later: the same bytes. */
static void check_again(const struct dest_fuzz *d, const struct session *first)
{
    struct session s;
    check(begin(d, &s, first->c.arena, first->c.config, first->job.event, first->job.facts, 2, BODY_ROOM) ==
          DEST_SEND);
    check(s.request.body_size == first->request.body_size &&
          memcmp(s.request.body, first->request.body, s.request.body_size) == 0);
    check(strcmp(s.request.url, first->request.url) == 0);
    dest_body_cache_free(&s.cache);
}

/* A body that does not fit is not sent, and not half of it. */
static void check_room(const struct dest_fuzz *d, const struct session *whole, size_t room)
{
    struct session s;
    enum dest_next next =
        begin(d, &s, whole->c.arena, whole->c.config, whole->job.event, whole->job.facts, 1, room);
    check((next == DEST_SEND) == (whole->request.body_size <= room));
    if (next == DEST_SEND)
        check(s.request.body_size == whole->request.body_size);
    else
        check(s.job.verdict.kind == VERDICT_REJECTED && s.job.verdict.reason == REASON_TOO_LONG);
    dest_body_cache_free(&s.cache);
}

/* Two words of a finding's status close it, which is another act than that of the twin, whose status is no word. */
static bool has_twin(const struct dest_fuzz *d, const struct dest_fuzz_case *c)
{
    return !refers(dest_find(d->kind), &c->event) ||
           life_end_of(&c->facts.finding) == life_end_of(&c->twin_facts.finding);
}

static void check_twin(const struct dest_fuzz *d, const struct session *s, const struct dest_fuzz_case *c,
                       struct json_object *body)
{
    struct session twin;
    if (begin(d, &twin, s->c.arena, s->c.config, &c->twin_event, &c->twin_facts, 1, BODY_ROOM) ==
        DEST_FINISHED) {
        check(reference.known); /* what is told is what was told before */
        dest_body_cache_free(&twin.cache);
        return;
    }
    struct json_object *other = read_body(&twin.request);
    dest_fuzz_case_compare(d, c, body, other);
    json_object_put(other);
    dest_body_cache_free(&twin.cache);
}

/* Without a text of anybody else's, nothing of a body is the secret. */
static void check_secret(const struct dest_fuzz *d, const struct session *s, const struct dest_fuzz_case *c)
{
    struct session bare;
    struct facts facts = c->twin_facts;
    facts.scan.summary_json = facts.finding.severity_text = NULL;
    if (begin(d, &bare, s->c.arena, s->c.config, &c->twin_event, &facts, 1, BODY_ROOM) == DEST_FINISHED) {
        dest_body_cache_free(&bare.cache);
        return;
    }
    check(!memmem(bare.request.body, bare.request.body_size, DEST_FUZZ_SECRET, strlen(DEST_FUZZ_SECRET)));
    dest_body_cache_free(&bare.cache);
}

static void talk(const struct dest_fuzz *d, struct arena *a, const void *config,
                 const struct dest_fuzz_case *c, struct fuzz_input answers, size_t room)
{
    struct session s;
    if (begin(d, &s, a, config, &c->event, &c->facts, 1, BODY_ROOM) == DEST_FINISHED) {
        /* What has not the form of a key stands for nothing. */
        bool again = reference.known && s.job.verdict.kind == VERDICT_AGAIN;
        check(refers(dest_find(d->kind), &c->event));
        check(again || s.job.verdict.kind == VERDICT_NOTHING_TO_DO);
        check(s.job.verdict.detail && is_on_one_line(s.job.verdict.detail));
        dest_body_cache_free(&s.cache);
        return;
    }
    check_each(d, &s.request);
    if (s.request.body) {
        struct json_object *body = read_body(&s.request);
        if (d->check_request && !s.c.reference.known)
            d->check_request(&s.request, body);
        if (has_twin(d, c))
            check_twin(d, &s, c, body);
        if (!d->secret_in_body)
            check_secret(d, &s, c);
        check_again(d, &s);
        if (room < ROOM_ENOUGH)
            check_room(d, &s, room);
        json_object_put(body);
    }
    finish(d, &s, &answers);
    dest_body_cache_free(&s.cache);
}

/* A test says nothing of anybody's, whatever it is answered. */
static void test_settings(const struct dest_fuzz *d, struct arena *a, const void *config,
                          struct fuzz_input answers)
{
    struct session s;
    check(begin(d, &s, a, config, NULL, NULL, 1, BODY_ROOM) == DEST_SEND);
    check_each(d, &s.request);
    finish(d, &s, &answers);
    dest_body_cache_free(&s.cache);
}

/* Settings that were taken lead to a request that is as good as any. */
static void check_hostile_settings(const struct dest_fuzz *d, struct arena *a, const void *config,
                                   const struct dest_fuzz_case *c)
{
    struct session s;
    if (begin(d, &s, a, config, &c->twin_event, &c->twin_facts, 1, BODY_ROOM) == DEST_SEND) {
        check_each(d, &s.request);
        struct json_object *body = s.request.body ? read_body(&s.request) : NULL;
        if (d->check_request && body && !s.c.reference.known)
            d->check_request(&s.request, body);
        json_object_put(body);
    }
    dest_body_cache_free(&s.cache);
}

int dest_fuzz_run(const struct dest_fuzz *d, const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct dest_config_error error = {.reason = REASON_NONE};
    struct dest_fuzz_case c;
    struct arena a;
    size_t n, layouts = 0;
    arena_init(&a, 1024);
    const char *settings = fuzz_text(&in, &a, &n);
    const void *config = dest_find(d->kind)->config_parse(&a, settings, n, &error);
    if (!config)
        check_refused(&error, MARK);
    try_settings(d, &a, settings);
    do
        layouts++;
    while (d->settings[layouts]);
    const char *good = d->settings[fuzz_byte(&in) % layouts];
    size_t room = ROOM_STEP * (size_t)fuzz_byte(&in);
    uint8_t count = fuzz_byte(&in) % 8;
    struct fuzz_input answers = in;
    for (; count > 0; count--)
        skip_answer(&in, &a);
    dest_fuzz_case_read(d, &in, &a, &c);
    read_reference(&in, &a);
    const void *taken = dest_find(d->kind)->config_parse(&a, good, strlen(good), &error);
    talk(d, &a, taken, &c, answers, room);
    test_settings(d, &a, taken, answers);
    if (config)
        check_hostile_settings(d, &a, config, &c);
    arena_wipe(&a);
    return 0;
}
