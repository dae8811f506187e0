/*
 * unit_service_fields - the body of a request: every field, every error, and nothing of a secret in what is said
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/service/service_parts.h"
#include "tests/unit/unit.h"

#define CONFIG "\"config\":{\"webhook_url\":\"https://x.example/hush\"}"
#define GOOD   "\"kind\":\"webhook\",\"name\":\"n\"," CONFIG

static const struct service_caller caller = {.workspace = "11111111-1111-4111-8111-111111111111"};

/* A call for BODY; its request in *REQUEST. */
static struct service_call *read_body(const char *body, bool on_create, struct service_request *request)
{
    static struct service_call call;
    service_begin(&call, &caller, NULL);
    service_request_read(&call, body, strlen(body), on_create, request);
    return &call;
}

/* "field: detail;" of every error of BODY. */
static const char *errors_of(const char *body, bool on_create)
{
    static char all[8192];
    struct service_request request;
    struct service_call *call = read_body(body, on_create, &request);
    size_t used = 0;
    all[0] = '\0';
    for (size_t i = 0; i < call->error_count && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s: %s;", call->errors[i].field,
                                 call->errors[i].detail);
    EXPECT(!strstr(all, "hush"));
    EXPECT_INT(call->status, call->error_count ? SERVICE_INVALID : SERVICE_UNFINISHED);
    EXPECT(!call->error_count || call->step_count == 0);
    service_end(call);
    return all;
}

static void a_creation_gets_the_defaults(void)
{
    struct service_request request;
    struct service_call *call = read_body("{" GOOD "}", true, &request);
    EXPECT_INT(call->status, SERVICE_UNFINISHED);
    EXPECT_TEXT(request.values[FIELD_KIND], "webhook");
    EXPECT_TEXT(request.values[FIELD_NAME], "n");
    EXPECT_TEXT(request.values[FIELD_SEVERITY], "high");
    EXPECT_TEXT(request.values[FIELD_ENABLED], "true");
    EXPECT_TEXT(request.values[FIELD_TARGETS], NULL);
    EXPECT_TEXT(request.values[FIELD_EVENTS], NULL);
    EXPECT(!request.sent[FIELD_SEVERITY] && request.sent[FIELD_CONFIG]);
    service_end(call);
}

static void an_update_gets_what_was_sent_and_nothing_else(void)
{
    struct service_request request;
    struct service_call *call = read_body("{\"enabled\":false,\"events\":[]}", false, &request);
    EXPECT_INT(call->status, SERVICE_UNFINISHED);
    for (int i = 0; i < FIELD_COUNT; i++)
        EXPECT_INT(request.sent[i], i == FIELD_ENABLED || i == FIELD_EVENTS);
    EXPECT_TEXT(request.values[FIELD_ENABLED], "false");
    EXPECT_TEXT(request.values[FIELD_EVENTS], NULL);
    EXPECT_TEXT(request.values[FIELD_SEVERITY], NULL);
    service_end(call);
}

static void lists_become_parameters(void)
{
    struct service_request request;
    struct service_call *call = read_body("{\"target_ids\":[\"AAAAAAAA-1111-4111-8111-111111111111\","
                                          "\"aaaaaaaa-1111-4111-8111-111111111112\"],"
                                          "\"events\":[\"scan_done\",\"finding_new\"]}",
                                          false, &request);
    EXPECT_TEXT(request.values[FIELD_TARGETS],
                "{aaaaaaaa-1111-4111-8111-111111111111,aaaaaaaa-1111-4111-8111-111111111112}");
    EXPECT_TEXT(request.values[FIELD_EVENTS], "{scan_done,finding_new}");
    service_end(call);
}

static void each_error_names_its_field_and_the_remedy(void)
{
    static const struct {
        const char *body, *errors;
    } cases[] = {
        {"{\"name\":\"\"}", "name: name is empty; give it 1 to 200 characters;"},
        {"{\"name\":\"a\\u0000b\"}", "name: name holds a NUL character; take it out;"},
        {"{\"name\":null}", "name: name cannot be null; leave it out to keep it as it is;"},
        {"{\"name\":1}", "name: name must be a text;"},
        {"{\"enabled\":\"true\"}", "enabled: enabled must be true or false;"},
        {"{\"enabled\":1}", "enabled: enabled must be true or false;"},
        {"{\"severity_filter\":\"HIGH\"}",
         "severity_filter: severity_filter must be one of info, low, medium, high, "
         "critical, not \"HIGH\";"},
        {"{\"severity_filter\":[]}",
         "severity_filter: severity_filter must be one of info, low, medium, high, critical;"},
        {"{\"target_ids\":{}}", "target_ids: target_ids must be a list of texts, or null;"},
        {"{\"target_ids\":[1]}", "target_ids[0]: entry 1 of target_ids must be the id of a target, a UUID;"},
        {"{\"target_ids\":[\"11111111-1111-4111-8111-11111111111A\",\"11111111-1111-4111-8111-11111111111a\"]"
         "}",
         "target_ids[1]: entry 2 of target_ids stands there twice; remove one;"},
        {"{\"events\":[\"scan_done\",\"scan_started\",\"scan_done\"]}",
         "events[2]: entry 3 of events stands there twice; remove one;"},
        {"{\"config\":\"hush\"}",
         "config: config must be an object, as in {\"webhook_url\": \"https://...\"};"},
        {"{\"id\":\"x\"}", "id: id is shown only; leave it out;"},
        {"{\"target_kinds\":null}", "target_kinds: target_kinds is shown only; leave it out;"},
        {"{\"severity\":\"low\"}", "severity: there is no field severity; leave it out;"},
        {"{\"evnets\":[]}", "evnets: there is no field evnets; did you mean events?;"},
        {"{}", ""},
        {"{\"target_ids\":null,\"events\":null}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EXPECT_TEXT(errors_of(cases[i].body, false), cases[i].errors);
}

static void what_a_creation_needs_is_named(void)
{
    const char *errors = errors_of("{}", true);
    EXPECT(strstr(errors, "kind: kind is missing; ") && strstr(errors, "name: name is missing; ") &&
           strstr(errors, "config: config is missing; "));
    EXPECT(!strstr(errors, "enabled") && !strstr(errors, "events:"));
}

static void names_are_counted_in_characters(void)
{
    char body[2048] = "{\"name\":\"";
    for (int i = 0; i < 200; i++)
        strcat(body, "\xc3\xa9");
    strcat(body, "\"}");
    EXPECT_TEXT(errors_of(body, false), "");
    strcpy(strrchr(body, '"'), "x\"}");
    EXPECT_TEXT(errors_of(body, false), "name: name is longer than 200 characters; shorten it;");
}

static void more_errors_than_are_told_are_no_harm(void)
{
    char body[8192] = "{";
    for (int i = 0; i < 100; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "%s\"zz%d\":1", i ? "," : "", i);
    strcat(body, "}");
    struct service_request request;
    struct service_call *call = read_body(body, false, &request);
    EXPECT_INT(call->error_count, SERVICE_ERRORS_MAX);
    service_end(call);
}

/* Bytes that were taken to judge BODY, of a creation. */
static size_t taken_for(const char *body)
{
    struct service_call call;
    service_integration_create(&call, &caller, body, strlen(body), NULL);
    size_t held = call.arena.held;
    EXPECT_INT(call.status, SERVICE_INVALID);
    service_end(&call);
    return held;
}

static void a_body_of_nothing_but_errors_costs_no_more_than_those_that_are_told(void)
{
    enum { MANY = 7000 };
    static char members[16 * MANY], config[16 * MANY + 64];
    char *at = members;
    *at++ = '{';
    for (int i = 0; i < MANY; i++)
        at += sprintf(at, "%s\"zz%d\":1", i ? "," : "", i);
    strcpy(at, "}");
    EXPECT(taken_for(members) < 32768);
    snprintf(config, sizeof config, "{\"kind\":\"jira\",\"name\":\"n\",\"config\":%s}", members);
    EXPECT(taken_for(config) < 32768);
    EXPECT_TEXT(errors_of(config, true), "config: config has more than 64 settings; no kind has as many;");
}

static void settings_of_too_many_values_are_refused(void)
{
    static char body[16384];
    for (int form = 0; form < 2; form++) {
        char *at = body + sprintf(body, "{\"config\":{\"labels\":[%s", form ? "{\"a\":[" : "");
        for (int i = 0; i < SERVICE_VALUES_MAX; i++)
            at += sprintf(at, "%s\"hush\"", i ? "," : "");
        strcpy(at, form ? "]}]}}" : "]}}");
        EXPECT_TEXT(errors_of(body, false),
                    "config: config holds more than 1000 values; no kind takes as many;");
    }
}

static void deliveries_that_are_wrong_are_looked_at_as_long_as_they_are_told(void)
{
    static char body[65536];
    struct service_call call;
    char *at = body + sprintf(body, "{\"deliveries\":[{");
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, "%s\"k%d\":1", i ? "," : "", i);
    strcpy(at, "}]}");
    service_delivery_drop_list(&call, &caller, body, strlen(body));
    EXPECT(call.arena.held < 32768);
    EXPECT_INT(call.error_count, SERVICE_ERRORS_MAX);
    service_end(&call);
}

static void a_list_of_too_many_is_refused(void)
{
    static char body[1024 * 1024];
    struct service_request request;
    for (int many = 0; many < 2; many++) {
        strcpy(body, "{\"target_ids\":[");
        char *at = body + strlen(body);
        for (int i = 0; i < SERVICE_TARGETS_MAX + many; i++)
            at += sprintf(at, "%s\"11111111-1111-4111-8111-%012d\"", i ? "," : "", i);
        strcpy(at, "]}");
        struct service_call *call = read_body(body, false, &request);
        EXPECT_INT(call->error_count, many);
        EXPECT_INT(request.values[FIELD_TARGETS] ? strlen(request.values[FIELD_TARGETS]) : 0,
                   many ? 0 : 37 * SERVICE_TARGETS_MAX + 1);
        service_end(call);
    }
}

static int64_t processor_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

/* Microseconds of the processor to read a body with COUNT targets, the best of ten: others may have it meanwhile. */
static int64_t cost_of_targets(int count)
{
    static char body[64 * 1024];
    int64_t best = INT64_MAX;
    size_t used = (size_t)snprintf(body, sizeof body, "{" GOOD ",\"target_ids\":[");
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(body + used, sizeof body - used, "%s\"11111111-1111-4111-8111-%012x\"",
                                 i ? "," : "", (unsigned)i);
    snprintf(body + used, sizeof body - used, "]}");
    for (int times = 0; times < 10; times++) {
        struct service_request request;
        int64_t began = processor_us();
        struct service_call *call = read_body(body, true, &request);
        int64_t took = processor_us() - began;
        EXPECT_INT(call->status, SERVICE_UNFINISHED);
        best = took < best ? took : best;
        service_end(call);
    }
    return best;
}

static void four_times_as_many_targets_cost_about_four_times_as_much(void)
{
    int64_t few = cost_of_targets(250), many = cost_of_targets(1000);
    printf("# 250 targets: %lld us, 1000: %lld us\n", (long long)few, (long long)many);
    EXPECT(many < 8 * few);
}

static void settings_are_judged_by_their_kind_and_errors_name_the_key(void)
{
    static const struct {
        const char *kind, *config, *field; /* NULL: taken */
    } cases[] = {
        {"webhook", "{\"webhook_url\":\"https://hush.example\"}", NULL},
        {"webhook", "{}", "config.webhook_url"},
        {"webhook", "{\"webhook_url\":\"hush\"}", "config.webhook_url"},
        {"webhook", "{\"webhook_url\":\"https://x.example\",\"headers\":{\"Host\":\"hush\"}}",
         "config.headers"},
        {"pagerduty", "{\"routing_key\":5}", "config.routing_key"},
        {"github", "{\"token\":\"hush\"}", "config.repo"},
        {"unheard", "{}", "config"},
        {"webhook", "{\"webhook_url\":\"https://user:hush@x.example/y\"}", "config.webhook_url"},
        {"webhook", "{\"webhook_url\":\"HTTPS://hush@x.example\"}", "config.webhook_url"},
        {"webhook", "{\"webhook_url\":\"https://x.example/@hush\"}", NULL},
        {"jira",
         "{\"base_url\":\"https://a:hush@x.example\",\"email\":\"a@b.example\",\"api_token\":\"hush\","
         "\"project_key\":\"SEC\"}",
         "config.base_url"},
        {"splunk",
         "{\"hec_url\":\"https://a:hush@x.example:8088\",\"token\":\"11111111-1111-4111-8111-111111111111\"}",
         "config.hec_url"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct service_call call;
        service_begin(&call, &caller, NULL);
        bool good = service_config_check(&call, cases[i].kind, cases[i].config);
        EXPECT_INT(good, cases[i].field == NULL);
        EXPECT_TEXT(good ? NULL : call.errors[0].field, cases[i].field);
        EXPECT(good || !strstr(call.errors[0].detail, "hush"));
        service_end(&call);
    }
}

static void settings_are_taken_by_the_kinds_that_need_no_more(void)
{
    struct service_call call;
    service_begin(&call, &caller, NULL);
    EXPECT_TEXT(service_config_kinds(&call, "{\"webhook_url\":\"https://x.example/y\"}"),
                "{webhook,slack,teams,google_chat,discord}");
    EXPECT_TEXT(service_config_kinds(&call, "{\"webhook_url\":\"https://u:p@x.example/y\"}"), "{}");
    EXPECT_TEXT(service_config_kinds(&call, "{}"), "{}");
    service_end(&call);
}

UNIT_MAIN(UNIT_CASE(a_creation_gets_the_defaults), UNIT_CASE(an_update_gets_what_was_sent_and_nothing_else),
          UNIT_CASE(lists_become_parameters), UNIT_CASE(each_error_names_its_field_and_the_remedy),
          UNIT_CASE(what_a_creation_needs_is_named), UNIT_CASE(names_are_counted_in_characters),
          UNIT_CASE(more_errors_than_are_told_are_no_harm),
          UNIT_CASE(a_body_of_nothing_but_errors_costs_no_more_than_those_that_are_told),
          UNIT_CASE(settings_of_too_many_values_are_refused),
          UNIT_CASE(deliveries_that_are_wrong_are_looked_at_as_long_as_they_are_told),
          UNIT_CASE(a_list_of_too_many_is_refused),
          UNIT_CASE(four_times_as_many_targets_cost_about_four_times_as_much),
          UNIT_CASE(settings_are_judged_by_their_kind_and_errors_name_the_key),
          UNIT_CASE(settings_are_taken_by_the_kinds_that_need_no_more))
