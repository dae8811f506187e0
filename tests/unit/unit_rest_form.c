/*
 * unit_rest_form - forms of values: their schemas, and which texts are of them
 */
#include <string.h>

#include "api/rest/rest_form.h"
#include "tests/unit/unit.h"

static void expect_schema(const char *form, const char *value, const char *help, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    rest_form_schema(&out, form, value, help);
    EXPECT_TEXT(buf_text(&out), want);
    buf_free(&out);
}

static void each_form_has_its_schema(void)
{
    expect_schema("text", NULL, NULL, "{\"type\":\"string\"}");
    expect_schema("text:1:200", NULL, NULL, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":200}");
    expect_schema(
        "integer:-1:5", "3", "Why.",
        "{\"type\":\"integer\",\"minimum\":-1,\"maximum\":5,\"default\":3,\"description\":\"Why.\"}");
    expect_schema("number", NULL, NULL, "{\"type\":\"number\"}");
    expect_schema("boolean", "true", NULL, "{\"type\":\"boolean\",\"default\":true}");
    expect_schema("object", NULL, NULL, "{\"type\":\"object\"}");
    expect_schema("any", NULL, NULL, "{}");
    expect_schema("any", NULL, "Why.", "{\"description\":\"Why.\"}");
    expect_schema("uuid", NULL, NULL, "{\"type\":\"string\",\"format\":\"uuid\"}");
    expect_schema("time?", NULL, NULL, "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}");
    expect_schema("Thing", NULL, NULL, "{\"$ref\":\"#/components/schemas/Thing\"}");
    expect_schema("Thing?", NULL, NULL,
                  "{\"oneOf\":[{\"$ref\":\"#/components/schemas/Thing\"},{\"type\":\"null\"}]}");
}

static void lists_and_words_are_spelled_out(void)
{
    expect_schema("uuid[1000]?", "null", NULL,
                  "{\"type\":[\"array\",\"null\"],\"items\":{\"type\":\"string\",\"format\":\"uuid\"},"
                  "\"maxItems\":1000,\"uniqueItems\":true,\"default\":null}");
    expect_schema("Thing[]", NULL, NULL,
                  "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Thing\"}}");
    expect_schema("words:severities?", NULL, NULL,
                  "{\"type\":[\"string\",\"null\"],\"enum\":[\"info\",\"low\",\"medium\",\"high\","
                  "\"critical\",null]}");
    expect_schema(
        "words:events[]", NULL, NULL,
        "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"enum\":[\"scan_started\",\"scan_done\","
        "\"scan_failed\",\"finding_new\",\"finding_changed\"]}}");
}

static void expect_fault(const char *form, const char *text, const char *want)
{
    struct arena a;
    arena_init(&a, 1024);
    const char *fault = rest_form_fault(&a, form, text);
    if (!fault != !want || (fault && !strstr(fault, want)))
        unit_fail(__FILE__, __LINE__, "%s of \"%s\": %s", form, text, fault ? fault : "nothing");
    arena_free(&a);
}

static void a_text_of_the_query_is_of_its_form_or_not(void)
{
    expect_fault("integer:1:500", "1", NULL);
    expect_fault("integer:1:500", "500", NULL);
    const char *numbers[] = {"0",   "501",  "",    "-", "1 ", " 1",  "+1",
                             "1.0", "0x10", "1e2", "x", "1x", "--1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        expect_fault("integer:1:500", numbers[i], "a whole number from 1 to 500");
    expect_fault("integer", "-7", NULL);
    expect_fault("integer", "99999999999999999999", "a whole number");
    expect_fault("uuid", "11111111-1111-4111-8111-111111111111", NULL);
    expect_fault("uuid", "{11111111-1111-4111-8111-111111111111}", "UUID");
    expect_fault("boolean", "false", NULL);
    expect_fault("boolean", "1", "true or false");
    expect_fault("time", "2026-11-23T13:00:00Z", NULL);
    expect_fault("time", "2026-02-30T13:00:00Z", "a time");
    expect_fault("words:events", "scan_done", NULL);
    expect_fault("words:events", "Scan_done", "one of scan_started, scan_done,");
    expect_fault("words:kinds", "jira", NULL);
    expect_fault("words:kinds", "", "one of");
    expect_fault("text", "", NULL);
    expect_fault("text:1:3", "\xc3\xa9\xc3\xa9\xc3\xa9", NULL);
    expect_fault("text:1:3", "", "1 to 3 characters");
    expect_fault("text:1:3", "four", "1 to 3 characters");
}

/* WANT: how the fault begins; NULL: it is of the form. */
static void expect_value(const char *form, const char *text, const char *want)
{
    struct arena arena;
    const char *why = NULL;
    struct json_object *value = json_parse(text, strlen(text), &why);
    arena_init(&arena, 1024);
    const char *fault = rest_form_value_fault(&arena, form, value);
    if (want)
        EXPECT(fault && strncmp(fault, want, strlen(want)) == 0);
    else
        EXPECT(fault == NULL);
    json_object_put(value);
    arena_free(&arena);
}

static void values_of_json_are_checked_against_their_form(void)
{
    expect_value("text:1:3", "\"a\"", NULL);
    expect_value("text:1:3", "\"\"", "must have 1 to 3 characters");
    expect_value("text:1:3", "\"\xC3\xA9\xC3\xA9\xC3\xA9\"", NULL);
    expect_value("text", "\"\\u0000\"", "must have no NUL");
    expect_value("text", "3", "must be a text");
    expect_value("text", "null", "must not be null");
    expect_value("text?", "null", NULL);
    expect_value("integer:1:500", "500", NULL);
    expect_value("integer:1:500", "5.0", NULL);
    expect_value("integer:1:500", "0.5", "must be a whole number from 1 to 500");
    expect_value("integer:1:500", "1e300", "must be a whole number from 1 to 500");
    expect_value("integer", "NaN", "must be a whole number");
    expect_value("integer", "\"5\"", "must be a whole number");
    expect_value("number", "0.5", NULL);
    expect_value("number", "true", "must be a number");
    expect_value("boolean", "false", NULL);
    expect_value("boolean", "\"false\"", "must be true or false");
    expect_value("object", "{}", NULL);
    expect_value("object", "[]", "must be an object");
    expect_value("uuid", "\"00000000-0000-4000-8000-000000000000\"", NULL);
    expect_value("uuid", "\"0000\"", "must be a UUID");
    expect_value("time", "\"2026-11-23T13:00:00Z\"", NULL);
    expect_value("words:severities", "\"high\"", NULL);
    expect_value("words:severities", "\"worst\"", "must be one of info, low");
    expect_value("any", "[1]", NULL);
    expect_value("words:events[2]?", "null", NULL);
    expect_value("words:events[2]", "[\"scan_done\",\"scan_failed\"]", NULL);
    expect_value("words:events[2]", "[\"scan_done\",\"scan_done\"]",
                 "is wrong at entry 2, which stands there twice");
    expect_value("words:events[2]", "[1]", "is wrong at entry 1, which must be a text");
    expect_value("words:events[2]", "[null]", "is wrong at entry 1, which must not be null");
    expect_value("words:events[2]", "[1,2,3]", "must have at most 2 entries");
    expect_value("text[]", "\"a\"", "must be a list");
}

UNIT_MAIN(UNIT_CASE(values_of_json_are_checked_against_their_form), UNIT_CASE(each_form_has_its_schema),
          UNIT_CASE(lists_and_words_are_spelled_out), UNIT_CASE(a_text_of_the_query_is_of_its_form_or_not))
