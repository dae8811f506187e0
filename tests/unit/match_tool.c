/*
 * match_tool - the filters for a test in another language
 *
 * Reads one JSON object per line: {"integration": {columns as PostgreSQL prints them}, "event_type",
 * "target_id", "target_kind", "severity"} and prints the verdict's word for each, or "unreadable" for a row
 * that integration_read refuses. A line that is no such object ends it with status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/model/integration_read.h"
#include "common/model/match.h"

static const char *text(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    return value ? json_object_get_string(value) : NULL;
}

static void read_columns(struct json_object *row, struct integration_columns *out)
{
    *out = (struct integration_columns){
        .id = text(row, "id"),
        .workspace_id = text(row, "workspace_id"),
        .name = text(row, "name"),
        .kind = text(row, "kind"),
        .enabled = text(row, "enabled"),
        .severity_filter = text(row, "severity_filter"),
        .target_ids = text(row, "target_ids"),
        .events = text(row, "events"),
        .target_kinds = text(row, "target_kinds"),
        .config_encrypted = text(row, "config_encrypted"),
    };
}

static const char *judge(struct arena *arena, struct json_object *line)
{
    struct integration_columns columns;
    struct integration integration;
    const char *event = text(line, "event_type"), *target = text(line, "target_id");
    const char *severity = text(line, "severity");
    int type = event ? event_type_parse(event) : -1, rank = severity ? severity_parse(severity) : -1;
    if (type < 0 || !target)
        return NULL;
    struct facts facts = {.target.kind = text(line, "target_kind"),
                          .has_finding = event_is_about_finding((enum event_type)type),
                          .finding.severity = rank < 0 ? SEVERITY_INFO : (enum severity)rank};
    if (!uuid_parse(&facts.target.id, target))
        return NULL;
    read_columns(json_get(line, "integration"), &columns);
    if (!integration_read(arena, &integration, &columns))
        return "unreadable";
    return match_verdict_name(match_integration(&integration, (enum event_type)type, &facts));
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int status = 0;
    struct arena arena;
    arena_init(&arena, 65536);
    while (status == 0 && (n = getline(&line, &room, stdin)) > 0) {
        const char *why;
        struct json_object *value = json_parse(line, (size_t)n, &why);
        const char *word = value ? judge(&arena, value) : NULL;
        puts(word ? word : "what is this line?");
        status = word ? 0 : 1;
        json_object_put(value);
        arena_free(&arena);
    }
    free(line);
    return status;
}
