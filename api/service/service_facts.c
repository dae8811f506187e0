/*
 * service_facts - a finding with its scan and target, read of JSON
 *
 * Rows are hostile: each text is copied as storable UTF-8, and cut; what has another type than it should is as if it were not
 * there. Pure.
 */
#include "api/service/service_facts.h"

#include <stddef.h>
#include <string.h>

#include "common/base/iso8601.h"
#include "common/base/json.h"

enum { TEXT_MAX = 4 * FACTS_TEXT_MAX /* bytes; the database has cut texts at as many characters */ };

struct text {
    const char *name;
    size_t at;
};

#define OF(type, name)                                                                                       \
    {                                                                                                        \
#name, offsetof(struct type, name)                                                                   \
    }

static const struct text scan_texts[] = {OF(facts_scan, status), OF(facts_scan, profile),
                                         OF(facts_scan, grade), OF(facts_scan, error)};
static const struct text target_texts[] = {OF(facts_target, name), OF(facts_target, base_url),
                                           OF(facts_target, kind)};
static const struct text finding_texts[] = {
    OF(facts_finding, pencheff_finding_id),
    OF(facts_finding, title),
    {"severity", offsetof(struct facts_finding, severity_text)},
    OF(facts_finding, category),
    OF(facts_finding, owasp_category),
    OF(facts_finding, cwe_id),
    OF(facts_finding, cvss_vector),
    OF(facts_finding, endpoint),
    OF(facts_finding, parameter),
    OF(facts_finding, description),
    OF(facts_finding, remediation),
    OF(facts_finding, verification_status),
    OF(facts_finding, suppress_reason),
    OF(facts_finding, reachability),
};

static void read_texts(struct arena *arena, struct json_object *object, const struct text *texts,
                       size_t count, void *out)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = json_get_text(arena, object, texts[i].name, TEXT_MAX);
        memcpy((char *)out + texts[i].at, &text, sizeof text);
    }
}

#define READ_TEXTS(arena, object, texts, out)                                                                \
    read_texts(arena, object, texts, sizeof(texts) / sizeof *(texts), out)

static bool read_id(struct json_object *object, const char *name, struct uuid *out)
{
    struct json_object *value = json_get(object, name);
    return json_is_text(value) && uuid_parse(out, json_object_get_string(value));
}

static bool read_number(struct json_object *object, const char *name, double *out)
{
    struct json_object *value = json_get(object, name);
    bool is_number =
        json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
    if (is_number)
        *out = json_object_get_double(value);
    return is_number;
}

static const char *read_time(struct arena *arena, struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);
    int64_t us;
    if (!json_is_text(value) ||
        !iso8601_parse(json_object_get_string(value), (size_t)json_object_get_string_len(value), &us))
        return NULL;
    char *text = arena_alloc(arena, ISO8601_TEXT);
    iso8601_format(us, text);
    return text;
}

static bool read_scan(struct arena *arena, struct json_object *object, struct facts_scan *s)
{
    double score = 0;
    READ_TEXTS(arena, object, scan_texts, s);
    s->has_score = read_number(object, "score", &score);
    s->score = (long)score;
    struct json_object *summary = json_get(object, "summary");
    s->summary_json = json_object_is_type(summary, json_type_object)
                          ? arena_text(arena, json_print(summary), strlen(json_print(summary)))
                          : NULL;
    return read_id(object, "id", &s->id) && read_id(object, "workspace_id", &s->workspace_id);
}

static bool read_finding(struct arena *arena, struct json_object *object, struct facts_finding *f)
{
    READ_TEXTS(arena, object, finding_texts, f);
    int severity = f->severity_text ? severity_parse(f->severity_text) : -1;
    f->severity = severity < 0 ? SEVERITY_INFO : (enum severity)severity;
    f->has_cvss_score = read_number(object, "cvss_score", &f->cvss_score);
    f->has_epss = read_number(object, "epss", &f->epss);
    f->has_risk_score = read_number(object, "risk_score", &f->risk_score);
    f->suppressed = json_object_get_boolean(json_get(object, "suppressed"));
    f->kev = json_object_get_boolean(json_get(object, "kev"));
    f->resolved_at = read_time(arena, object, "resolved_at");
    f->created_at = read_time(arena, object, "created_at");
    return read_id(object, "id", &f->id);
}

bool service_facts_read(struct arena *arena, struct json_object *object, struct facts *facts)
{
    struct json_object *target = json_get(object, "target");
    memset(facts, 0, sizeof *facts);
    READ_TEXTS(arena, target, target_texts, &facts->target);
    facts->has_finding = true;
    return read_scan(arena, json_get(object, "scan"), &facts->scan) &&
           read_id(target, "id", &facts->target.id) &&
           read_finding(arena, json_get(object, "finding"), &facts->finding);
}
