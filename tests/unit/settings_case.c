/*
 * settings_case - settings that a kind takes or refuses, and what it says of them
 */
#include "tests/unit/settings_case.h"

#include <string.h>

#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static void expect_said(const struct settings_case *c, const char *said, const char *words)
{
    if (!said != !words || (said && (!strstr(said, words) || strstr(said, "SECR"))))
        unit_fail(__FILE__, __LINE__, "%s: said %s", c->json, said ? said : "nothing");
}

static void expect_refused(const struct settings_case *c, const struct dest_config_error *error)
{
    expect_said(c, error->detail, c->refused);
    EXPECT_INT(error->reason,
               strcmp(c->refused, "JSON") == 0 ? REASON_CONFIG_UNREADABLE : REASON_CONFIG_INVALID);
}

static void expect_url(const char *kind, const struct settings_case *c)
{
    struct talk t;
    talk_begin(&t, kind, c->json, "abc", 1);
    t.event.type = EVENT_SCAN_DONE;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.url, c->url);
    talk_end(&t);
}

static void expect_settings(const char *kind, const struct settings_case *c)
{
    struct dest_config_error error;
    struct arena a;
    arena_init(&a, 1024);
    bool taken = talk_parse(&a, kind, c->json, &error) != NULL;
    if (taken == (c->refused != NULL))
        unit_fail(__FILE__, __LINE__, "%s: taken %d, %s", c->json, taken, error.detail ? error.detail : "");
    if (taken)
        expect_said(c, error.advice, c->advised);
    else
        expect_refused(c, &error);
    if (c->url)
        expect_url(kind, c);
    arena_wipe(&a);
}

void settings_cases_expect(const char *kind, const struct settings_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_settings(kind, &cases[i]);
}
