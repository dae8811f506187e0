#ifndef NOTIFY_SERVICE_SERVICE_FIELDS_H
#define NOTIFY_SERVICE_SERVICE_FIELDS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/service/service.h"

/*
 * The fields of an integration, once: what is read of a request, what is shown in an answer, and their description.
 *
 *   X(ENUM, name, form, flags, default, shown, help)
 *
 * DEFAULT: of a creation that does not name it, as JSON; NULL: it must, or the field is null. SHOWN: the SQL that shows it,
 * of a row i; NULL: it is never shown. In the order in which they are shown.
 */
#define SERVICE_FIELDS(X)                                                                                    \
    X(ID, id, FORM_ID, FIELD_READ_ONLY, NULL, "i.id", "Given when it is created.")                           \
    X(KIND, kind, FORM_KIND, FIELD_REQUIRED | FIELD_FIXED, NULL, "i.kind",                                   \
      "Where it leads: one of the kinds of destinations. Cannot be changed.")                                \
    X(NAME, name, FORM_NAME, FIELD_REQUIRED, NULL, "i.name", "For people; 1 to 200 characters.")             \
    X(SEVERITY, severity_filter, FORM_SEVERITY, 0, "high", "i.severity_filter",                              \
      "Findings below it are not sent. Applies to finding_new and finding_changed only.")                    \
    X(ENABLED, enabled, FORM_BOOL, 0, "true", "i.enabled", "Nothing is sent while it is false.")             \
    X(TARGETS, target_ids, FORM_TARGETS, FIELD_NULLABLE, NULL, "nullif(i.target_ids, '{}')",                 \
      "The targets whose scans count; null or empty: every target of the workspace.")                        \
    X(EVENTS, events, FORM_EVENTS, FIELD_NULLABLE, NULL, "nullif(i.events, '{}')",                           \
      "The events that count; null or empty: every event.")                                                  \
    X(TARGET_KINDS, target_kinds, FORM_ANY, FIELD_READ_ONLY, NULL, "i.target_kinds",                         \
      "The kinds of targets that count, as the product has set them; null: every kind.")                     \
    X(CREATED_AT, created_at, FORM_TIME, FIELD_READ_ONLY, NULL,                                              \
      "to_char(i.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",                       \
      "When it was created.")                                                                                \
    X(CONFIG, config, FORM_CONFIG, FIELD_REQUIRED, NULL, NULL,                                               \
      "The settings of its kind. Stored encrypted, replaced as a whole, never shown.")

enum service_form {
    FORM_ID,
    FORM_KIND,
    FORM_NAME,
    FORM_SEVERITY,
    FORM_BOOL,
    FORM_TARGETS,
    FORM_EVENTS,
    FORM_EVENT,    /* one */
    FORM_UUID,     /* one, of whatever the field is about */
    FORM_FINDINGS, /* ids of findings */
    FORM_ANY,
    FORM_TIME,
    FORM_CONFIG,
};

enum service_field_flags {
    FIELD_REQUIRED = 1, /* of a creation */
    FIELD_FIXED = 2,    /* cannot be changed */
    FIELD_NULLABLE = 4,
    FIELD_READ_ONLY = 8, /* cannot be given at all */
};

#define SERVICE_FIELD_ENUM(e, name, form, flags, value, shown, help) FIELD_##e,
enum service_field_index { SERVICE_FIELDS(SERVICE_FIELD_ENUM) FIELD_COUNT };

struct service_field {
    const char *name;
    enum service_form form;
    unsigned flags;
    const char *value; /* the default */
    bool shown;
    const char *help;
};

extern const struct service_field service_fields[FIELD_COUNT];

enum {
    SERVICE_NAME_MAX = 200,     /* characters: the column's width in the product */
    SERVICE_TARGETS_MAX = 1000, /* of one integration; ours */
    SERVICE_FINDINGS_MAX = 500, /* named in one export: what fits into api.body_bytes as shipped */
    SERVICE_SETTINGS_MAX =
        64, /* in one config, before anything of it is looked at; ours: no kind has twenty */
    SERVICE_VALUES_MAX = 1000, /* in one config, at any depth; ours: no kind has two hundred */
};

/* What a request says of the fields. */
struct service_request {
    bool sent[FIELD_COUNT];
    /* As a parameter of a statement; NULL: null, or not sent and without a default. Of config: its JSON, compact. */
    const char *values[FIELD_COUNT];
};

/*
 * Read BODY. False when anything of it is wrong, and then the call has all errors of it and its status. What `config` holds
 * is not looked at here but that it is an object. ON_CREATE: fields that are required must be there, defaults are filled in.
 */
bool service_request_read(struct service_call *call, const char *body, size_t size, bool on_create,
                          struct service_request *out);

/* BODY as one JSON object, to be freed with json_object_put; NULL when it is none, and then the call is over. */
struct json_object *service_object_read(struct service_call *call, const char *body, size_t size);

/*
 * A request with other fields, COUNT of them: SENT and VALUES have room for as many, and are set. False when anything of it is
 * wrong, as with service_request_read. WITH_DEFAULTS: fields that are required must be there, defaults are filled in.
 */
bool service_members_read(struct service_call *call, const char *body, size_t size,
                          const struct service_field *fields, size_t count, bool with_defaults, bool *sent,
                          const char **values);

/*
 * The destination's own struct of the settings CONFIG, in the call's arena; NULL when KIND does not take them, and then the
 * reasons are errors of the call as with service_config_check.
 */
const void *service_config_parse(struct service_call *call, const char *kind, const char *config);
/*
 * Whether KIND takes the settings CONFIG; else the reasons are errors of the call, of the field "config.KEY" where one key is
 * to blame. A key that the kind does not have is refused: what was meant by it would be missing unseen. Sets advice.
 */
bool service_config_check(struct service_call *call, const char *kind, const char *config);
/* The kinds that take CONFIG, as a parameter: "{slack,teams}". */
const char *service_config_kinds(struct service_call *call, const char *config);

#endif
