/*
 * ctl_shadow_sent - what the other worker sent, for notifyctl shadow --compare
 *
 * Reads JSON lines of whoever has them: the other worker's log, or what a receiver counted. A line that is none stops it, with
 * its number: a comparison with a part of the file would find differences that are not there. Owns nothing but the file.
 */
#include "api/ctl/ctl_shadow.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/iso8601.h"
#include "common/base/json.h"
#include "common/base/uuid.h"
#include "common/model/words.h"

enum { SENT_MAX = 256 * 1024 * 1024 /* bytes: some million deliveries */ };

static bool add_id(struct buf *out, struct json_object *line, const char *key, bool needed)
{
    struct uuid id;
    char text[UUID_TEXT];
    struct json_object *value = json_get(line, key);
    if (!value && !needed)
        return true;
    if (!json_is_text(value) || !uuid_parse(&id, json_object_get_string(value)))
        return false;
    uuid_format(&id, text);
    buf_json_member(out, key, text);
    return true;
}

/* NULL: good; else what is wrong. *OLD: it is, by its time. */
static const char *add_line(struct buf *out, struct json_object *line, int64_t oldest_us, bool *old)
{
    struct json_object *type = json_get(line, "event_type"), *at = json_get(line, "at");
    int64_t at_us;
    *old = false;
    if (at && (!json_is_text(at) ||
               !iso8601_parse(json_object_get_string(at), (size_t)json_object_get_string_len(at), &at_us)))
        return "\"at\" is no ISO 8601 time";
    if (at && at_us < oldest_us) {
        *old = true;
        return NULL;
    }
    if (!json_is_text(type) || event_type_parse(json_object_get_string(type)) < 0)
        return "\"event_type\" is none; see notifyctl --list events";
    buf_json_open_item(out);
    buf_json_member(out, "event_type", json_object_get_string(type));
    bool good = add_id(out, line, "integration_id", true) && add_id(out, line, "scan_id", true) &&
                add_id(out, line, "finding_id", false);
    buf_add_char(out, '}');
    if (out->overflow)
        return "there is more than can be compared; take a part with --younger-than";
    return good ? NULL
                : "\"integration_id\" and \"scan_id\" must be UUIDs, and \"finding_id\" where there is one";
}

static bool is_blank(const char *line, size_t n)
{
    return strspn(line, " \t\r\n") == n;
}

static bool read_lines(FILE *in, const char *name, int64_t oldest_us, struct shadow_sent *out)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;
    const char *why = NULL;
    while (!why && (n = getline(&line, &room, in)) >= 0) {
        number++;
        if (is_blank(line, (size_t)n))
            continue;
        bool old = false;
        const char *words;
        struct json_object *object = json_parse(line, (size_t)n, &words);
        why = json_object_is_type(object, json_type_object) ? add_line(&out->json, object, oldest_us, &old)
                                                            : "it is no JSON object";
        json_object_put(object);
        out->older += old;
        out->count += !old;
    }
    free(line);
    if (why)
        fprintf(stderr, "notifyctl: %s:%zu: %s\n", name, number, why);
    else if (ferror(in))
        fprintf(stderr, "notifyctl: %s cannot be read: %s\n", name, strerror(errno));
    return !why && !ferror(in);
}

bool shadow_sent_read(const char *file, double since, struct shadow_sent *out)
{
    bool is_input = strcmp(file, "-") == 0;
    const char *name = is_input ? "standard input" : file;
    int64_t oldest_us = since < 0 ? INT64_MIN : clock_wall_us() - clock_us(since);
    FILE *in = is_input ? stdin : fopen(file, "re");
    memset(out, 0, sizeof *out);
    buf_init(&out->json, SENT_MAX);
    if (!in) {
        fprintf(stderr, "notifyctl: %s cannot be read: %s\n", name, strerror(errno));
        return false;
    }
    buf_add_char(&out->json, '[');
    bool good = read_lines(in, name, oldest_us, out);
    buf_add_char(&out->json, ']');
    if (!is_input)
        fclose(in);
    return good;
}
