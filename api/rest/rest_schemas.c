/*
 * rest_schemas - the schemas of bodies and answers
 *
 * Made of the tables that validate: service_fields.h for integrations, the kinds' settings for config. What is answered is
 * described as it can be: rows that the product wrote may have a kind or a severity that this version does not know.
 */
#include "api/rest/rest_schemas.h"

#include <string.h>

#include "api/rest/rest_form.h"
#include "api/rest/rest_kinds.h"
#include "api/service/service_fields.h"
#include "common/base/check.h"
#include "common/destinations/dest.h"

static void open_schema(struct buf *out, const char *name)
{
    buf_json_key(out, name);
    buf_add_text(out, "{\"type\":\"object\",\"additionalProperties\":false");
}

static void open_properties(struct buf *out)
{
    buf_json_open_object(out, "properties");
}

static void add_required(struct buf *out, const char *name, bool *first)
{
    if (*first)
        buf_json_open_list(out, "required");
    else
        buf_add_char(out, ',');
    buf_json_text(out, name);
    *first = false;
}

/* The settings of each kind where config says nothing but that it is an object. */
static void add_config_by_kind(struct buf *out)
{
    buf_json_open_list(out, "allOf");
    for (size_t i = 0; dest_all[i]; i++) {
        buf_printf(out,
                   "%s{\"if\":{\"properties\":{\"kind\":{\"const\":\"%s\"}},\"required\":[\"kind\"]},"
                   "\"then\":{\"properties\":{\"config\":{\"$ref\":\"#/components/schemas/Config.%s\"}}}}",
                   i ? "," : "", dest_all[i]->kind, dest_all[i]->kind);
    }
    buf_add_char(out, ']');
}

/* The rows from FIRST on that are of its schema; the first behind them. */
static const struct rest_member *add_members(struct buf *out, const struct rest_member *first)
{
    const struct rest_member *at;
    bool none = true, has_config = false;
    open_schema(out, first->schema);
    open_properties(out);
    for (at = first; at->schema && strcmp(at->schema, first->schema) == 0; at++) {
        buf_json_key(out, at->name);
        rest_form_schema(out, at->form, at->value, at->help);
        has_config |= strcmp(at->name, "config") == 0 && strcmp(at->form, "object") == 0;
    }
    buf_add_char(out, '}');
    for (const struct rest_member *m = first; m != at; m++)
        if (!m->optional)
            add_required(out, m->name, &none);
    buf_add_text(out, none ? "" : "]");
    if (has_config)
        add_config_by_kind(out);
    buf_add_char(out, '}');
    return at;
}

/* ---- integrations ---- */

#define TEXT_OF(number) #number
#define BOUND(number)   TEXT_OF(number)

/* As a request gives it; ANSWER: as an answer shows what is stored. */
static const char *form_of(const struct service_field *field, bool answer)
{
    _Static_assert(SERVICE_NAME_MAX == 200 && SERVICE_TARGETS_MAX == 1000, "as the forms below say");
    switch (field->form) {
    case FORM_ID:
    case FORM_UUID:
        return "uuid";
    case FORM_FINDINGS:
        return "uuid[500]?";
    case FORM_KIND:
        return answer ? "text" : "words:kinds";
    case FORM_NAME:
        return answer ? "text" : "text:1:200";
    case FORM_SEVERITY:
        return answer ? "text" : "words:severities";
    case FORM_BOOL:
        return "boolean";
    case FORM_TARGETS:
        return answer ? "uuid[]?" : "uuid[1000]?";
    case FORM_EVENTS:
        return answer ? "text[]?" : "words:events[1000]?";
    case FORM_EVENT:
        return "words:events";
    case FORM_ANY:
        return "any";
    case FORM_TIME:
        return "time";
    case FORM_CONFIG:
        return "object";
    }
    check(false);
    return NULL;
}

static const char *default_of(const struct service_field *field)
{
    static char quoted[64];
    if (!field->value)
        return field->flags & FIELD_NULLABLE ? "null" : NULL;
    if (field->form == FORM_BOOL)
        return field->value;
    struct buf b;
    buf_init(&b, sizeof quoted - 1);
    buf_json_text(&b, field->value);
    check(!b.overflow);
    memcpy(quoted, buf_text(&b), b.len + 1);
    buf_free(&b);
    return quoted;
}

static void add_integration(struct buf *out)
{
    bool first = true;
    open_schema(out, "Integration");
    open_properties(out);
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct service_field *f = &service_fields[i];
        if (!f->shown)
            continue;
        buf_json_key(out, f->name);
        rest_form_schema(out, form_of(f, true), NULL, f->help);
    }
    buf_add_char(out, '}');
    for (int i = 0; i < FIELD_COUNT; i++)
        if (service_fields[i].shown)
            add_required(out, service_fields[i].name, &first);
    buf_add_text(out, "]}");
}

/* What can be given. */
static void add_fields(struct buf *out, bool with_defaults)
{
    open_properties(out);
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct service_field *f = &service_fields[i];
        if (f->flags & FIELD_READ_ONLY)
            continue;
        buf_json_key(out, f->name);
        rest_form_schema(out, form_of(f, false), with_defaults ? default_of(f) : NULL, f->help);
    }
    buf_add_char(out, '}');
}

static void add_create(struct buf *out)
{
    bool first = true;
    open_schema(out, "IntegrationCreate");
    add_fields(out, true);
    for (int i = 0; i < FIELD_COUNT; i++)
        if (service_fields[i].flags & FIELD_REQUIRED)
            add_required(out, service_fields[i].name, &first);
    buf_add_char(out, ']');
    add_config_by_kind(out);
    buf_add_char(out, '}');
}

static void add_update(struct buf *out)
{
    open_schema(out, "IntegrationUpdate");
    add_fields(out, false);
    buf_add_char(out, '}');
}

void rest_schemas_add(struct buf *out)
{
    add_integration(out);
    add_create(out);
    add_update(out);
    for (size_t i = 0; dest_all[i]; i++) {
        char name[64];
        snprintf(name, sizeof name, "Config.%s", dest_all[i]->kind);
        buf_json_key(out, name);
        rest_settings_schema(out, dest_all[i]);
    }
    for (const struct rest_member *at = rest_members; at->schema;)
        at = add_members(out, at);
}
