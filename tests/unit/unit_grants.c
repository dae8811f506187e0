/*
 * unit_grants - the reader of roles.sql: every right, and nothing unnoticed
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/grants.h"
#include "tests/unit/unit.h"

/* The rights of SQL, separated by semicolons. */
static const char *rights_of(const char *sql, bool *malformed)
{
    static char all[4096];
    struct grants_reader reader;
    struct grant right;
    all[0] = '\0';
    grants_start(&reader, sql);
    while (grants_next(&reader, &right)) {
        char object[256];
        bool column = right.column[0] != '\0';
        size_t used = strlen(all);
        grant_format_object(&right, object);
        snprintf(all + used, sizeof all - used, "%s%s%s%s ON %s;", right.privilege, column ? " (" : "",
                 right.column, column ? ")" : "", object);
    }
    *malformed = reader.malformed;
    return all;
}

static void rights_are_read_one_by_one(void)
{
    bool malformed;
    EXPECT_TEXT(rights_of("-- GRANT a comment\n"
                          "GRANT SELECT (id, name) ON TABLE public.targets TO notify_worker;\n"
                          "CREATE ROLE x;\n\n"
                          "GRANT SELECT, INSERT, UPDATE ON TABLE notify.events TO notify_worker;\r\n"
                          "GRANT INSERT ON TABLE notify.attempts TO notify_worker;\n"
                          "GRANT USAGE ON SCHEMA notify TO notify_worker;",
                          &malformed),
                "SELECT (id) ON TABLE public.targets;SELECT (name) ON TABLE public.targets;"
                "SELECT ON TABLE notify.events;INSERT ON TABLE notify.events;UPDATE ON TABLE notify.events;"
                "INSERT ON TABLE notify.attempts;USAGE ON SCHEMA notify;");
    EXPECT(!malformed);
    EXPECT_TEXT(
        rights_of("GRANT EXECUTE ON FUNCTION notify.f(uuid, uuid[], boolean) TO notify_api;\n", &malformed),
        "EXECUTE ON FUNCTION notify.f(uuid, uuid[], boolean);");
    EXPECT(!malformed);
    EXPECT_TEXT(rights_of("", &malformed), "");
    EXPECT(!malformed);
}

static void each_right_says_whose_it_is(void)
{
    struct grants_reader reader;
    struct grant right;
    grants_start(&reader, "GRANT SELECT (a, b) ON TABLE s.t TO one;\nGRANT USAGE ON SCHEMA s TO two;\n");
    EXPECT(grants_next(&reader, &right));
    EXPECT_TEXT(right.role, "one");
    EXPECT(grants_next(&reader, &right));
    EXPECT_TEXT(right.role, "one");
    EXPECT(grants_next(&reader, &right));
    EXPECT_TEXT(right.role, "two");
    EXPECT(!grants_next(&reader, &right));
}

static void grants_in_another_form_are_noticed(void)
{
    static const char *const lines[] = {
        "GRANT SELECT ON public.targets TO notify_worker;",
        "GRANT SELECT ON TABLE targets TO notify_worker;",
        "GRANT EXECUTE ON FUNCTION notify.f TO notify_api;",
        "GRANT EXECUTE ON FUNCTION notify.f(uuid TO notify_api;",
        "GRANT SELECT ON TABLE public.targets TO a, b;",
        "GRANT SELECT ON TABLE public.targets TO notify_worker",
        "GRANT SELECT ON TABLE public.targets TO notify_worker; GRANT INSERT ON TABLE a.b TO c;",
        "GRANT SELECT (id), UPDATE (id) ON TABLE public.targets TO notify_worker;",
        "GRANT SELECT (id ON TABLE public.targets TO notify_worker;",
        "GRANT SELECT () ON TABLE public.targets TO notify_worker;",
        "GRANT ON TABLE public.targets TO notify_worker;",
        "GRANT notify_worker TO somebody;",
        "  GRANT SELECT ON TABLE public.targets TO notify_worker;",
        "grant select on table public.targets to notify_worker;",
        "GRANT SELECT",
        "GRANT ",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char sql[512];
        bool malformed;
        snprintf(sql, sizeof sql, "%s\nGRANT USAGE ON SCHEMA notify TO r;\n", lines[i]);
        const char *rights = rights_of(sql, &malformed);
        if (!malformed || strcmp(rights, "USAGE ON SCHEMA notify;") != 0)
            unit_fail(__FILE__, __LINE__, "%s: malformed %d, rights %s", lines[i], malformed, rights);
    }
}

static void names_that_are_too_long_are_noticed(void)
{
    char name[128], sql[512];
    bool malformed;
    memset(name, 'n', 64);
    name[64] = '\0';
    snprintf(sql, sizeof sql, "GRANT SELECT ON TABLE %s.a TO r;", name);
    EXPECT_TEXT(rights_of(sql, &malformed), "");
    EXPECT(malformed);
    name[63] = '\0';
    snprintf(sql, sizeof sql, "GRANT SELECT (%s) ON TABLE s.t TO r;", name);
    EXPECT(strlen(rights_of(sql, &malformed)) > 63);
    EXPECT(!malformed);
}

UNIT_MAIN(UNIT_CASE(rights_are_read_one_by_one), UNIT_CASE(each_right_says_whose_it_is),
          UNIT_CASE(grants_in_another_form_are_noticed), UNIT_CASE(names_that_are_too_long_are_noticed))
