/*
 * jira_search - the issue of an event, when nobody knows whether it was made
 *
 * Pure. Each description ends in a line with the event's marker, a word that nobody can guess. A text from a scanned system may
 * quote the marker of another finding that it has seen, but it never stands in the last line, so only an issue that ends in it
 * counts. What was not understood is not "none": that would make a second issue.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/jira.h"

enum { TEXT_ROOM = 1 << 20, KEY_ROOM = 256 };

const char *jira_search_path(const struct jira_config *config)
{
    return config->layout == JIRA_WIKI ? "/search" : "/search/jql";
}

/* The project's key consists of letters, digits and underscores, the marker of letters and digits. */
void jira_search_add(struct buf *out, const struct jira_config *config, const struct conversation_job *job)
{
    char marker[ALERT_MARKER_TEXT];
    alert_marker(job->event, job->facts, marker);
    buf_printf(out,
               "{\"jql\":\"project = \\\"%s\\\" AND description ~ \\\"%s\\\" ORDER BY created ASC\","
               "\"maxResults\":%d,\"fields\":[\"description\"]}",
               config->project_key, marker, JIRA_FOUND_MAX);
}

/* ---- the text of a description ---- */

static bool ends_line(const char *type)
{
    return strcmp(type, "paragraph") == 0 || strcmp(type, "heading") == 0 || strcmp(type, "hardBreak") == 0;
}

static void add_node(struct buf *out, struct json_object *node)
{
    struct json_object *text = json_get(node, "text"), *type = json_get(node, "type"),
                       *content = json_get(node, "content");
    size_t count = json_object_is_type(content, json_type_array) ? json_object_array_length(content) : 0;
    if (json_is_text(text))
        buf_add_text(out, json_object_get_string(text));
    for (size_t i = 0; i < count; i++)
        add_node(out, json_object_array_get_idx(content, i));
    if (json_is_text(type) && ends_line(json_object_get_string(type)))
        buf_add_char(out, '\n');
}

/* A document's text, or wiki markup as it is; the ends of lines in one way, and none at the end. */
static void read_text(struct buf *out, struct json_object *description)
{
    buf_init(out, TEXT_ROOM);
    if (!json_is_text(description))
        add_node(out, description);
    else
        for (const char *at = json_object_get_string(description); *at; at++)
            if (*at != '\r')
                buf_add_char(out, *at);
    while (out->len > 0 && strchr(" \n", out->data[out->len - 1]))
        out->data[--out->len] = '\0';
}

static bool ends_in_marker(const struct buf *text, const char *marker)
{
    static const char begins[] = "Pencheff · ";
    const char *all = buf_text(text), *line = strrchr(all, '\n');
    size_t n = strlen(marker);
    line = line ? line + 1 : all;
    return strncmp(line, begins, strlen(begins)) == 0 && strlen(line) > n + 1 &&
           strcmp(line + strlen(line) - n, marker) == 0 && line[strlen(line) - n - 1] == ' ';
}

static bool is_made(const struct buf *text, const struct buf *made)
{
    struct buf whole, own;
    const char *why;
    buf_init(&whole, made->len + 2);
    buf_add(&whole, made->data, made->len);
    buf_add_text(&whole, "}}");
    struct json_object *root = json_parse(buf_text(&whole), whole.len, &why);
    read_text(&own, json_get(json_get(root, "fields"), "description"));
    bool same = own.len > 0 && strcmp(buf_text(&own), buf_text(text)) == 0;
    json_object_put(root);
    buf_free(&whole);
    buf_free(&own);
    return same;
}

/* ---- what was found ---- */

static enum jira_search read_issue(struct json_object *issue, const char *marker, const struct buf *made,
                                   struct arena *arena, const char **key, bool *same)
{
    struct buf text;
    read_text(&text, json_get(json_get(issue, "fields"), "description"));
    bool found = ends_in_marker(&text, marker);
    *same = found && is_made(&text, made);
    buf_free(&text);
    *key = found ? json_get_text(arena, issue, "key", KEY_ROOM) : NULL;
    return !found ? JIRA_SEARCH_NONE : jira_is_key(*key) ? JIRA_SEARCH_FOUND : JIRA_SEARCH_UNCLEAR;
}

/* Whether LIST, the issues of ROOT, is all that there is: Cloud says isLast, Data Center total. */
static bool is_all(struct json_object *root, struct json_object *list)
{
    int64_t count = (int64_t)json_object_array_length(list);
    struct json_object *total = json_get(root, "total"), *last = json_get(root, "isLast");
    if (total)
        return json_object_is_type(total, json_type_int) && json_object_get_int64(total) <= count;
    return last ? json_object_get_boolean(last) : count < JIRA_FOUND_MAX && !json_get(root, "nextPageToken");
}

static enum jira_search read_issues(struct json_object *root, const char *marker, const struct buf *made,
                                    struct arena *arena, const char **key, bool *same)
{
    struct json_object *list = json_get(root, "issues");
    if (!json_object_is_type(list, json_type_array))
        return JIRA_SEARCH_UNCLEAR;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        enum jira_search found =
            read_issue(json_object_array_get_idx(list, i), marker, made, arena, key, same);
        if (found != JIRA_SEARCH_NONE)
            return found;
    }
    return is_all(root, list) ? JIRA_SEARCH_NONE : JIRA_SEARCH_UNCLEAR;
}

enum jira_search jira_search_read(const struct dest_response *answer, const struct conversation_job *job,
                                  const struct buf *made, struct arena *arena, const char **key, bool *same)
{
    char marker[ALERT_MARKER_TEXT];
    alert_marker(job->event, job->facts, marker);
    struct json_object *root = answer->status == 200 ? dest_answer_json(answer) : NULL;
    enum jira_search found = read_issues(root, marker, made, arena, key, same);
    json_object_put(root);
    return found;
}
