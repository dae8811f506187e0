/*
 * service_fields - the body of a request for an integration, read field by field
 *
 * Finds everything that is wrong with it at once, each with what to do. Errors name fields and, where it helps, the word that
 * was not understood; never a value of `config`, which may be a secret. Settings are copied into the call's arena, which is
 * overwritten at its end, and overwritten where json-c keeps them. Pure.
 */
#include "api/service/service_fields.h"

#include <string.h>

#include "api/service/service_parts.h"
#include "common/base/check.h"
#include "common/base/hint.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"
#include "common/destinations/dest.h"
#include "common/model/settings_seal.h"
#include "common/model/words.h"

#define SHOWN_IS_NOT_NULL(shown) ((shown) != NULL)
#define FIELD_ROW(e, name, form, flags, value, shown, help)                                                  \
    {#name, form, flags, value, SHOWN_IS_NOT_NULL(shown), help},

const struct service_field service_fields[FIELD_COUNT] = {SERVICE_FIELDS(FIELD_ROW)};

/* ---- words ---- */

/* Word number I of a form that takes words of a list; NULL behind the last. */
static const char *word_of(enum service_form form, size_t i)
{
    if (form == FORM_KIND)
        return dest_all[i] ? dest_all[i]->kind : NULL;
    const struct word_list *list = word_list_find(form == FORM_SEVERITY ? "severities" : "events");
    return i < list->count ? list->entries[i].word : NULL;
}

static const char *find_word(enum service_form form, const char *text)
{
    for (size_t i = 0; word_of(form, i); i++)
        if (strcmp(word_of(form, i), text) == 0)
            return word_of(form, i);
    return NULL;
}

/* "must be one of a, b, c, not \"x\"". */
static const char *one_of(struct service_call *call, enum service_form form, const char *text)
{
    struct buf out;
    buf_init(&out, 1024);
    buf_add_text(&out, "must be one of");
    for (size_t i = 0; word_of(form, i); i++)
        buf_printf(&out, "%s %s", i ? "," : "", word_of(form, i));
    if (text) {
        buf_add_text(&out, ", not ");
        buf_json_text(&out, service_word(call, text));
    }
    const char *kept = arena_strdup(&call->arena, buf_text(&out));
    buf_free(&out);
    return kept;
}

/* ---- one field ---- */

/* A text without NUL; NULL when VALUE is something else. */
static const char *text_of(struct json_object *value)
{
    if (!json_is_text(value))
        return NULL;
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* Each read_… gives the parameter, or NULL with *WRONG, what is wrong as the rest of a sentence that begins with the field. */
static const char *read_word(struct service_call *call, enum service_form form, struct json_object *value,
                             const char **wrong)
{
    const char *text = text_of(value);
    const char *word = text ? find_word(form, text) : NULL;
    if (!word)
        *wrong = one_of(call, form, text);
    return word;
}

static const char *read_name(struct service_call *call, struct json_object *value, const char **wrong)
{
    const char *text = text_of(value);
    size_t n = text ? count_characters(text) : 0;
    if (text && n >= 1 && n <= SERVICE_NAME_MAX)
        return arena_strdup(&call->arena, text);
    if (!json_is_text(value))
        *wrong = "must be a text";
    else if (!text)
        *wrong = "holds a NUL character; take it out";
    else
        *wrong = n ? "is longer than 200 characters; shorten it" : "is empty; give it 1 to 200 characters";
    return NULL;
}

static const char *read_bool(struct json_object *value, const char **wrong)
{
    if (!json_object_is_type(value, json_type_boolean)) {
        *wrong = "must be true or false";
        return NULL;
    }
    return json_object_get_boolean(value) ? "true" : "false";
}

static const char *read_uuid(struct service_call *call, struct json_object *value, const char **wrong)
{
    const char *text = text_of(value);
    struct uuid id;
    if (text && uuid_parse(&id, text))
        return arena_strdup(&call->arena, text);
    *wrong = "must be a UUID, as 01234567-89ab-cdef-0123-456789abcdef";
    return NULL;
}

/* An entry of a list as it stands in the parameter; NULL with *WRONG. OUT has room for a UUID. */
static const char *read_entry(struct service_call *call, enum service_form form, struct json_object *value,
                              char out[UUID_TEXT], const char **wrong)
{
    const char *text = text_of(value);
    struct uuid id;
    if (form == FORM_EVENTS)
        return read_word(call, form, value, wrong);
    if (!text || !uuid_parse(&id, text)) {
        *wrong = form == FORM_FINDINGS ? "must be the id of a finding, a UUID"
                                       : "must be the id of a target, a UUID";
        return NULL;
    }
    uuid_format(&id, out);
    return out;
}

/* Whether ENTRY stands in the parameter LIST, "{a,b". */
static bool list_has(const char *list, const char *entry)
{
    size_t n = strlen(entry);
    for (const char *at = list; *at; at += strcspn(at, ",")) {
        at++;
        if (strncmp(at, entry, n) == 0 && (!at[n] || at[n] == ','))
            return true;
    }
    return false;
}

/* Errors of entries are errors of the call themselves, each with its place. The parameter; NULL: empty, or wrong. */
static const char *read_list(struct service_call *call, const struct service_field *field,
                             struct json_object *value, const char **wrong)
{
    if (!json_object_is_type(value, json_type_array)) {
        *wrong = "must be a list of texts, or null";
        return NULL;
    }
    size_t count = json_object_array_length(value);
    if (field->form == FORM_FINDINGS && (count < 1 || count > SERVICE_FINDINGS_MAX)) {
        *wrong = "must name 1 to 500 findings; to send more, name their scan";
        return NULL;
    }
    if (count > SERVICE_TARGETS_MAX) {
        *wrong = "holds more than 1000 entries; null means all";
        return NULL;
    }
    struct buf list;
    buf_init(&list, (SERVICE_TARGETS_MAX + 1) * UUID_TEXT);
    for (size_t i = 0; i < count; i++) {
        char id[UUID_TEXT];
        const char *fault = NULL;
        const char *entry = read_entry(call, field->form, json_object_array_get_idx(value, i), id, &fault);
        if (entry && list.len && list_has(buf_text(&list), entry))
            fault = "stands there twice; remove one";
        if (fault)
            service_wrong(call, arena_printf(&call->arena, "%s[%zu]", field->name, i),
                          arena_printf(&call->arena, "entry %zu of %s %s", i + 1, field->name, fault));
        else
            buf_printf(&list, "%c%s", list.len ? ',' : '{', entry);
        if (service_is_full(call))
            break;
    }
    buf_add_char(&list, '}');
    check(!list.overflow);
    const char *kept = count ? arena_strdup(&call->arena, buf_text(&list)) : NULL;
    buf_free(&list);
    return kept;
}

/* How many values stand in VALUE at any depth; no more than a few above MOST are counted. */
static size_t count_values(struct json_object *value, size_t most)
{
    size_t count = 0;
    if (json_object_is_type(value, json_type_array)) {
        count = json_object_array_length(value);
        for (size_t i = 0; i < json_object_array_length(value) && count <= most; i++)
            count += count_values(json_object_array_get_idx(value, i), most);
    } else if (json_object_is_type(value, json_type_object)) {
        count = (size_t)json_object_object_length(value);
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            if (count > most)
                break;
            count += count_values(member, most);
        }
    }
    return count;
}

static const char *read_config(struct service_call *call, struct json_object *value, const char **wrong)
{
    if (!json_object_is_type(value, json_type_object)) {
        *wrong = "must be an object, as in {\"webhook_url\": \"https://...\"}";
        return NULL;
    }
    if (json_object_object_length(value) > SERVICE_SETTINGS_MAX) {
        *wrong = "has more than 64 settings; no kind has as many";
        return NULL;
    }
    if (count_values(value, SERVICE_VALUES_MAX) > SERVICE_VALUES_MAX) {
        *wrong = "holds more than 1000 values; no kind takes as many";
        return NULL;
    }
    const char *text = json_print(value);
    struct buf compact;
    buf_init(&compact, strlen(text));
    buf_reserve(&compact, strlen(text)); /* so that it never moves */
    const char *config = settings_compact(text, strlen(text), &compact, wrong)
                             ? arena_text(&call->arena, buf_text(&compact), compact.len)
                             : NULL;
    buf_wipe(&compact);
    return config;
}

static const char *read_value(struct service_call *call, const struct service_field *field,
                              struct json_object *value, const char **wrong)
{
    switch (field->form) {
    case FORM_KIND:
    case FORM_SEVERITY:
    case FORM_EVENT:
        return read_word(call, field->form, value, wrong);
    case FORM_NAME:
        return read_name(call, value, wrong);
    case FORM_BOOL:
        return read_bool(value, wrong);
    case FORM_UUID:
        return read_uuid(call, value, wrong);
    case FORM_TARGETS:
    case FORM_FINDINGS:
    case FORM_EVENTS:
        return read_list(call, field, value, wrong);
    case FORM_CONFIG:
        return read_config(call, value, wrong);
    case FORM_ID:
    case FORM_ANY:
    case FORM_TIME:
        break;
    }
    *wrong = "is shown only; leave it out";
    return NULL;
}

/* The fields of a request, and what it says of them. */
struct reading {
    const struct service_field *fields;
    size_t count;
    bool *sent;
    const char **values;
};

static void read_field(struct service_call *call, struct reading *r, size_t index, struct json_object *value)
{
    const struct service_field *field = &r->fields[index];
    const char *wrong = NULL;
    r->sent[index] = true;
    if (field->flags & FIELD_READ_ONLY)
        wrong = "is shown only; leave it out";
    else if (value)
        r->values[index] = read_value(call, field, value, &wrong);
    else if (!(field->flags & FIELD_NULLABLE))
        wrong = "cannot be null; leave it out to keep it as it is";
    if (wrong)
        service_wrong(call, field->name, arena_printf(&call->arena, "%s %s", field->name, wrong));
}

/* ---- the body ---- */

static size_t find_field(const struct reading *r, const char *name)
{
    size_t i = 0;
    while (i < r->count && strcmp(r->fields[i].name, name) != 0)
        i++;
    return i;
}

static void refuse_member(struct service_call *call, const struct reading *r, const char *name)
{
    const char *near = NULL;
    size_t distance = 0;
    for (size_t i = 0; i < r->count; i++) {
        const char *known = r->fields[i].name;
        size_t d = hint_distance(name, known);
        if (r->fields[i].flags & FIELD_READ_ONLY || d > hint_limit(name, known) || (near && d >= distance))
            continue;
        near = known;
        distance = d;
    }
    const char *field = service_word(call, name);
    service_wrong(call, field,
                  near ? arena_printf(&call->arena, "there is no field %s; did you mean %s?", field, near)
                       : arena_printf(&call->arena, "there is no field %s; leave it out", field));
}

static void fill_in(struct service_call *call, struct reading *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct service_field *field = &r->fields[i];
        if (r->sent[i])
            continue;
        if (field->flags & FIELD_REQUIRED)
            service_wrong(call, field->name,
                          arena_printf(&call->arena, "%s is missing; %s", field->name, field->help));
        else
            r->values[i] = field->value;
    }
}

struct json_object *service_object_read(struct service_call *call, const char *body, size_t size)
{
    const char *why = NULL;
    struct json_object *root = json_parse(body, size, &why);
    if (json_object_is_type(root, json_type_object))
        return root;
    service_refuse(call, SERVICE_UNREADABLE,
                   why ? arena_printf(&call->arena, "the body must be one JSON object: %s", why)
                       : "the body must be one JSON object");
    service_wipe(root);
    json_object_put(root);
    return NULL;
}

bool service_members_read(struct service_call *call, const char *body, size_t size,
                          const struct service_field *fields, size_t count, bool with_defaults, bool *sent,
                          const char **values)
{
    struct reading r = {.fields = fields, .count = count, .sent = sent, .values = values};
    memset(sent, 0, count * sizeof *sent);
    for (size_t i = 0; i < count; i++)
        values[i] = NULL;
    struct json_object *root = service_object_read(call, body, size);
    if (!root)
        return false;
    json_object_object_foreach(root, name, value)
    {
        size_t field = find_field(&r, name);
        if (field == count)
            refuse_member(call, &r, name);
        else
            read_field(call, &r, field, value);
        if (service_is_full(call))
            break;
    }
    if (with_defaults)
        fill_in(call, &r);
    service_wipe(root);
    json_object_put(root);
    return call->status == SERVICE_UNFINISHED;
}

bool service_request_read(struct service_call *call, const char *body, size_t size, bool on_create,
                          struct service_request *out)
{
    return service_members_read(call, body, size, service_fields, FIELD_COUNT, on_create, out->sent,
                                out->values);
}
