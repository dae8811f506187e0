/*
 * unit_dest_settings - the tables of settings say what is read, of every kind
 *
 * json_get is wrapped by the linker, so that every key that a kind asks for is seen.
 */
#include <string.h>

#include "common/base/json.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

enum { LONG = 5000 };

/* ---- what is asked for ---- */

static const struct dest *watched; /* NULL: nobody is */

struct json_object *__real_json_get(struct json_object *object, const char *key);
struct json_object *__wrap_json_get(struct json_object *object, const char *key);
struct json_object *__wrap_json_get(struct json_object *object, const char *key)
{
    /* The names in jira's priority are no settings. */
    if (watched && !dest_setting_find(watched, key) && severity_parse(key) < 0)
        unit_fail(__FILE__, __LINE__, "%s asks for %s, which its table does not have", watched->kind, key);
    return __real_json_get(object, key);
}

/* ---- settings made of a table ---- */

/* Those that are required, or ALL but the old ones, with their examples; KEY has VALUE (JSON), or is left out: NULL. */
static const char *settings_with(struct arena *a, const struct dest *dest, bool all, const char *key,
                                 const char *value)
{
    const char *text = "";
    for (const struct dest_setting *s = dest->settings; s->key; s++)
        if ((s->required || (all && !s->old)) && !(key && strcmp(s->key, key) == 0))
            text = arena_printf(a, "%s%s\"%s\":%s", text, *text ? "," : "", s->key, s->example);
    if (key && value)
        text = arena_printf(a, "%s%s\"%s\":%s", text, *text ? "," : "", key, value);
    return arena_printf(a, "{%s}", text);
}

static void expect_taken(struct arena *a, const struct dest *dest, const char *json)
{
    struct dest_config_error error = {.detail = NULL};
    if (!talk_parse(a, dest->kind, json, &error))
        unit_fail(__FILE__, __LINE__, "%s does not take %s: %s", dest->kind, json, error.detail);
}

static void expect_refused(struct arena *a, const struct dest *dest, const char *json, const char *key)
{
    struct dest_config_error error = {.detail = NULL};
    if (talk_parse(a, dest->kind, json, &error))
        unit_fail(__FILE__, __LINE__, "%s takes %.300s", dest->kind, json);
    /* hmac_secret's words are those of its old name too. */
    const char *named = strcmp(key, "webhook_secret") == 0 ? "hmac_secret" : key;
    if (!strstr(error.detail, named))
        unit_fail(__FILE__, __LINE__, "%s does not name %s: %s", dest->kind, key, error.detail);
}

static const char *quoted(struct arena *a, const char *before, size_t n)
{
    char *text = arena_alloc(a, n + 1);
    memset(text, 'a', n);
    size_t size = strlen(before) < n ? strlen(before) : n;
    for (size_t i = 0; i < size; i++)
        text[i] = before[i];
    return arena_printf(a, "\"%s\"", text);
}

/* CHECK for each setting of each kind. */
static void for_each(void (*check)(struct arena *a, const struct dest *dest, const struct dest_setting *s))
{
    for (size_t i = 0; dest_all[i]; i++)
        for (const struct dest_setting *s = dest_all[i]->settings; s->key; s++) {
            struct arena a;
            arena_init(&a, 4096);
            check(&a, dest_all[i], s);
            arena_free(&a);
        }
}

/* ---- ---- */

static void nothing_is_asked_for_that_the_table_does_not_have(void)
{
    for (size_t i = 0; dest_all[i]; i++) {
        struct arena a;
        arena_init(&a, 4096);
        watched = dest_all[i];
        expect_taken(&a, dest_all[i], settings_with(&a, dest_all[i], false, NULL, NULL));
        expect_taken(&a, dest_all[i], settings_with(&a, dest_all[i], true, NULL, NULL));
        watched = NULL;
        arena_free(&a);
    }
}

static void check_read(struct arena *a, const struct dest *dest, const struct dest_setting *s)
{
    expect_refused(a, dest, settings_with(a, dest, false, s->key, "7"), s->key);
    expect_taken(a, dest, settings_with(a, dest, false, s->key, s->example));
}

static void every_setting_is_read(void)
{
    for_each(check_read);
}

static void check_required(struct arena *a, const struct dest *dest, const struct dest_setting *s)
{
    const char *without = settings_with(a, dest, false, s->key, NULL);
    if (!s->required) {
        expect_taken(a, dest, without);
        expect_taken(a, dest, settings_with(a, dest, false, s->key, "null"));
        return;
    }
    expect_refused(a, dest, without, s->key);
    expect_refused(a, dest, settings_with(a, dest, false, s->key, "null"), s->key);
    expect_refused(a, dest, settings_with(a, dest, false, s->key, "\"\""), s->key);
    if (s->unless.key)
        expect_taken(a, dest,
                     arena_printf(a, "%.*s,\"%s\":\"%s\"}", (int)strlen(without) - 1, without, s->unless.key,
                                  s->unless.value));
}

static void what_is_required_is_missed_and_the_rest_is_not(void)
{
    for_each(check_required);
}

static void check_lengths(struct arena *a, const struct dest *dest, const struct dest_setting *s)
{
    const char *before = s->form == SETTING_URL ? "https://x.example/" : "";
    bool any_text = s->form == SETTING_TEXT && !s->pattern;
    EXPECT(s->form == SETTING_CHOICE || (s->max > 0 && s->max < LONG));
    switch (s->form) {
    case SETTING_URL:
    case SETTING_TEXT:
    case SETTING_EACH:
        expect_refused(a, dest, settings_with(a, dest, false, s->key, quoted(a, before, s->max + 1)), s->key);
        if (any_text)
            expect_taken(a, dest, settings_with(a, dest, false, s->key, quoted(a, before, s->max)));
        return;
    case SETTING_LIST:
    case SETTING_MAP:
        break;
    case SETTING_CHOICE:
        return;
    }
    bool map = s->form == SETTING_MAP;
    const char *list = "";
    for (size_t i = 0; i <= s->count_max; i++) {
        const char *json = arena_printf(a, "%c%s%c", map ? '{' : '[', list, map ? '}' : ']');
        expect_taken(a, dest, settings_with(a, dest, false, s->key, json));
        list = arena_printf(a, map ? "%s%s\"x-%zu\":%s" : "%s%s\"x-%zu\"", list, *list ? "," : "", i,
                            quoted(a, "", s->max));
    }
    const char *many = arena_printf(a, "%c%s%c", map ? '{' : '[', list, map ? '}' : ']');
    expect_refused(a, dest, settings_with(a, dest, false, s->key, many), s->key);
    const char *large = arena_printf(a, map ? "{\"x\":%s}" : "[%s]", quoted(a, "", s->max + 1));
    expect_refused(a, dest, settings_with(a, dest, false, s->key, large), s->key);
}

static void lengths_and_counts_end_where_the_tables_say(void)
{
    for_each(check_lengths);
}

/* Of hosts that are nobody's, where every choice is right. */
static const char *plain_with(struct arena *a, const struct dest *dest, const struct dest_setting *s,
                              const char *value)
{
    const char *text = arena_printf(a, "\"%s\":\"%s\"", s->key, value);
    for (const struct dest_setting *o = dest->settings; o->key; o++)
        if (o->required)
            text = arena_printf(a, "%s,\"%s\":%s", text, o->key,
                                o->form == SETTING_URL ? "\"https://host.example/x\"" : o->example);
    return arena_printf(a, "{%s}", text);
}

static void check_choices(struct arena *a, const struct dest *dest, const struct dest_setting *s)
{
    if (s->form != SETTING_CHOICE)
        return;
    bool has_default = false;
    for (size_t i = 0; i < DEST_CHOICES_MAX && s->choices[i]; i++) {
        expect_taken(a, dest, plain_with(a, dest, s, s->choices[i]));
        has_default |= strcmp(s->choices[i], s->value) == 0;
    }
    EXPECT(has_default);
    expect_refused(a, dest, plain_with(a, dest, s, "neither"), s->key);
}

static void a_choice_is_one_of_its_words(void)
{
    for_each(check_choices);
}

/* The first request with settings JSON, as one text. */
static const char *first_request(struct arena *a, const struct dest *dest, const char *json)
{
    struct talk t;
    talk_begin(&t, dest->kind, json, "abc", 1795312755);
    t.event.type = EVENT_FINDING_NEW;
    t.facts = talk_open_facts();
    t.c.now_us = 1795312755000000;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    const char *text = arena_printf(a, "%s %s\n", t.request.method, t.request.url);
    for (size_t i = 0; i < t.request.header_count; i++)
        text = arena_printf(a, "%s%s: %s\n", text, t.request.headers[i].name, t.request.headers[i].value);
    if (t.request.body)
        text = arena_printf(a, "%s\n%.*s", text, (int)t.request.body_size, t.request.body);
    talk_end(&t);
    return text;
}

static void check_default(struct arena *a, const struct dest *dest, const struct dest_setting *s)
{
    if (!s->value)
        return;
    const char *said = settings_with(a, dest, false, s->key, arena_printf(a, "\"%s\"", s->value));
    EXPECT_TEXT(first_request(a, dest, said),
                first_request(a, dest, settings_with(a, dest, false, s->key, NULL)));
}

static void what_is_left_out_is_as_its_default(void)
{
    for_each(check_default);
}

static void check_words(struct arena *a, const struct dest *dest, const struct dest_setting *s)
{
    (void)a;
    EXPECT(s->help && s->help[strlen(s->help) - 1] == '.');
    EXPECT(!(s->required && s->value) && !(s->required && s->old));
    EXPECT(dest_setting_find(dest, s->key) == s);
    EXPECT(s->old || dest_setting_near(dest, s->key) == s);
}

static void each_is_described_and_found(void)
{
    for_each(check_words);
    EXPECT_TEXT(dest_setting_near(dest_find("slack"), "webhok_url")->key, "webhook_url");
    EXPECT(!dest_setting_near(dest_find("slack"), "repository"));
    EXPECT(!dest_setting_find(dest_find("slack"), "routing_key"));
}

UNIT_MAIN(UNIT_CASE(nothing_is_asked_for_that_the_table_does_not_have), UNIT_CASE(every_setting_is_read),
          UNIT_CASE(what_is_required_is_missed_and_the_rest_is_not),
          UNIT_CASE(lengths_and_counts_end_where_the_tables_say), UNIT_CASE(a_choice_is_one_of_its_words),
          UNIT_CASE(what_is_left_out_is_as_its_default), UNIT_CASE(each_is_described_and_found))
