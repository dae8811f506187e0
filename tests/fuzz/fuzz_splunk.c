/*
 * Splunk: what holds for every destination (dest_fuzz.h), and that no text decides where an event is filed, names a field,
 * breaks a line or makes an event longer than Splunk keeps.
 */
#include "common/base/json.h"
#include "common/destinations/splunk.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

static bool has_lines(const char *name)
{
    return strcmp(name, "description") == 0 || strcmp(name, "remediation") == 0 || strcmp(name, "error") == 0;
}

/* Names are ours; no nulls and no lists. */
static void check_members(struct json_object *object)
{
    json_object_object_foreach(object, name, value)
    {
        check(strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
        check(value && !json_object_is_type(value, json_type_array));
        if (json_object_is_type(value, json_type_object))
            check_members(value);
        else if (json_is_text(value))
            dest_fuzz_check_seen(json_object_get_string(value), has_lines(name));
    }
}

static void check_time(const char *body)
{
    const char *at = strstr(body, "\",\"time\":") + 9;
    size_t whole = strspn(at, "0123456789");
    check(whole > 0 && at[whole] == '.' && strspn(at + whole + 1, "0123456789") == 3 && at[whole + 4] == ',');
}

static void check_message(const struct dest_request *request, struct json_object *root)
{
    static const char word[] = "pencheff:", member[] = ",\"event\":{";
    const char *event = strstr(request->body, member);
    check(strcmp(request->method, "POST") == 0 && request->header_count == 3);
    check(strncmp(dest_fuzz_text(root, "sourcetype"), word, strlen(word)) == 0);
    check(json_object_object_length(root) == (json_get(root, "index") ? 6 : 5));
    check(event && strlen(event) - strlen(member) <= SPLUNK_EVENT_MAX);
    check_time(request->body);
    check_members(json_get(root, "event"));
}

static bool is_success(const struct dest_response *answer)
{
    const char *why;
    struct json_object *body = json_parse(answer->body, answer->body_size, &why);
    struct json_object *code = json_get(body, "code");
    int64_t said = json_object_is_type(code, json_type_int) ? json_object_get_int64(code) : -1;
    json_object_put(body);
    return answer->status >= 200 && answer->status < 300 && !answer->truncated &&
           (said == 0 || said == 24 || said == 25);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {"{\"hec_url\":\"https://h:8088\",\"token\":\"" DEST_FUZZ_SECRET
                                           "\"}",
                                           "{\"hec_url\":\"https://h\",\"token\":\"" DEST_FUZZ_SECRET
                                           "\",\"index\":\"main\",\"source\":\"a\",\"host\":\"b\"}",
                                           NULL};
    static const char *const keys[] = {"hec_url", "token", "index", "source", "host", NULL};
    static const struct dest_fuzz splunk = {
        .kind = "splunk",
        .settings = settings,
        .setting_keys = keys,
        .show = dest_fuzz_show_clean,
        .ways = 2,
        .cuts = true,
        .check_request = check_message,
        .is_success = is_success,
    };
    return dest_fuzz_run(&splunk, data, size);
}
