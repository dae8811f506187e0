#ifndef NOTIFY_DESTINATIONS_JIRA_H
#define NOTIFY_DESTINATIONS_JIRA_H

#include "common/destinations/dest_config.h"
#include "common/destinations/message.h"
#include "common/destinations/text.h"

/*
 * The parts of the Jira destination, for its files and tests only: everybody else sees dest.h.
 *
 * Jira's limits: "Summary must be less than 255 characters." (ryanhoskin/pd2jira#13). A description has 32,767 characters, of
 * which the structure of an Atlassian document counts as its text does (grafana/alerting receivers/jira/v1), so ours are
 * counted with it.
 */
enum {
    JIRA_SUMMARY_MAX = 254,       /* UTF-16 units */
    JIRA_DESCRIPTION_MAX = 30000, /* UTF-16 units of the text or of the document's JSON */
    JIRA_FIELD_MAX = 2100,        /* characters of one value: an endpoint has 2,048 */
    JIRA_LABELS_MAX = 16,
    JIRA_LABEL_MAX = 255, /* bytes */
    JIRA_WORD_MAX = 255,  /* bytes of a key or name in the settings */
    JIRA_TOKEN_MAX = 2048,
    JIRA_ANSWER_MAX = 65536, /* bytes */
};

/* Jira Cloud reads documents (REST v3), Data Center wiki markup (REST v2). */
enum jira_layout { JIRA_DOCUMENT, JIRA_WIKI };

struct jira_config {
    const char *url; /* of the API, with its version */
    const char *authorization;
    const char *project_key;
    const char *issue_type;
    enum jira_layout layout;
    const char *priorities[SEVERITY_COUNT]; /* of findings; NULL: none */
    const char *priority_of_scans;          /* NULL: none, but for one that failed */
    struct dest_config_list labels;
};

const void *jira_config_parse(struct arena *arena, const char *json, size_t size,
                              struct dest_config_error *error);

/* `{"fields":{"summary":…,"description":…` of an issue, without the ends, behind which the other fields follow. Layouts are
 * those of enum jira_layout. */
dest_body_builder jira_body_build;

/* Append the parts of M, each text cut at PARAGRAPH_MAX characters: as an Atlassian document, which is JSON, or as wiki
 * markup. */
void jira_document_add(struct buf *out, const struct message *m, size_t paragraph_max, struct arena *arena);
void jira_wiki_add(struct buf *out, const struct message *m, size_t paragraph_max, struct arena *arena);

/* For wiki markup: for a value within a line, and for a text of several lines. */
text_escape jira_escape_value;
text_escape jira_escape_lines;

/* What an issue may do without. */
enum jira_extra { JIRA_PRIORITY = 1, JIRA_LABELS = 2 };

/* Which of the extras SENT (a set of jira_extra) the answer refuses, and nothing else: 0 if none. */
unsigned jira_refused_extras(const struct dest_response *answer, unsigned sent);
/* The verdict on the answer to a new issue. LEFT_OUT are the extras that were refused before. Delivered is only 201 with an
 * issue's key. */
struct verdict jira_judge(const struct dest_response *answer, unsigned left_out);
/* The verdict of a test on the answer to "who am I"; VERDICT_NONE when Jira knows the account. */
struct verdict jira_judge_account(const struct dest_response *answer);
/* The key of the issue that ANSWER says was made, in the arena; NULL when it has not the form of one. */
const char *jira_issue_key(const struct dest_response *answer, struct arena *arena);
/* The verdict of a test whose issue was to be deleted again, which ANSWER is to; NULL: it had no key. */
struct verdict jira_judge_deletion(const struct dest_response *answer, unsigned left_out);

#endif
