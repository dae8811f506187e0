#ifndef NOTIFY_DESTINATIONS_JIRA_H
#define NOTIFY_DESTINATIONS_JIRA_H

#include "common/destinations/dest_config.h"
#include "common/destinations/life.h"
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
    JIRA_COMMENT_MAX = 27000,     /* the same, of a comment without the words that begin it */
    JIRA_WORDS_MAX = 500,         /* characters of these */
    JIRA_FIELD_MAX = 2100,        /* characters of one value: an endpoint has 2,048 */
    JIRA_LABELS_MAX = 16,
    JIRA_LABEL_MAX = 255, /* bytes */
    JIRA_WORD_MAX = 255,  /* bytes of a key or name in the settings */
    JIRA_TOKEN_MAX = 2048,
    JIRA_ANSWER_MAX = 65536, /* bytes */
    JIRA_LONG_ANSWER_MAX =
        1 << 20,        /* bytes: of issues with their descriptions, of a project with all that it has */
    JIRA_FOUND_MAX = 5, /* issues that a search asks for */
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
    const char *close_transition, *reopen_transition; /* name or number; NULL: none */
};

extern const struct dest_setting jira_settings[];
const void *jira_config_parse(struct arena *arena, const char *json, size_t size,
                              struct dest_config_error *error);

/* ---- texts ---- */

/* `{"fields":{"summary":…,"description":…` of an issue, without the ends, behind which the other fields follow. Layouts are
 * those of enum jira_layout. The description of an event ends in a line of its own with its marker (alert.h). */
dest_body_builder jira_body_build;

/* What a comment says of an event behind the words that tell what happened: a document, or a JSON string with wiki markup.
 * Layouts are JIRA_COMMENT and those of enum jira_layout. */
enum { JIRA_COMMENT = 2 };
dest_body_builder jira_comment_build;
/* The body of the request: WORDS, which are plain text that is not cleaned, and then TOLD, which jira_comment_build made. */
void jira_comment_add(struct buf *out, enum jira_layout layout, const char *words, const struct buf *told);

/* The parts of M, as many and as long as have at most MAX UTF-16 units in LAYOUT: long texts are cut shorter first, and then
 * the least important parts go. OUT is emptied before. */
void jira_text_fit(struct buf *out, enum jira_layout layout, struct message *m, size_t max,
                   struct arena *arena);
/* Append the parts of M, each text cut at PARAGRAPH_MAX characters: as an Atlassian document, which is JSON, or as wiki
 * markup. */
void jira_document_add(struct buf *out, const struct message *m, size_t paragraph_max, struct arena *arena);
void jira_wiki_add(struct buf *out, const struct message *m, size_t paragraph_max, struct arena *arena);
/* Append a node of a document with one line of text in it; MARK is NULL for none. */
void jira_document_add_line(struct buf *out, const char *type, const char *text, const char *mark);

/* For wiki markup: for a value within a line, and for a text of several lines. */
text_escape jira_escape_value;
text_escape jira_escape_lines;

/* ---- conversations ---- */

enum jira_step {
    JIRA_ASKED = 1, /* who it is, before a test */
    JIRA_SENT,
    JIRA_SENT_BARE,
    JIRA_DELETED,
    JIRA_SEARCHED, /* those from here on are of jira_life.c */
    JIRA_LISTED,
    JIRA_MOVED,
    JIRA_COMMENTED,
    JIRA_ASKED_WHO,
    JIRA_ASKED_PROJECT,
};

/* What a conversation remembers. */
struct jira_talk {
    unsigned left_out; /* of enum jira_extra */
    enum life_act act;
    const char *key;  /* of the issue that stands for it */
    bool moved;       /* a transition was carried out */
    const char *note; /* why the issue stays in its status, for people; NULL: nothing to say */
};

struct jira_talk *jira_talk_of(struct conversation *c);
enum dest_next jira_end(struct conversation *c, struct verdict verdict);
/* Fill OUT with a request to PATH of the API. BODY may be NULL. */
enum dest_next jira_ask(struct conversation *c, struct dest_request *out, const char *method,
                        const char *path, const struct buf *body, enum jira_step step);
/* Fill OUT with the request that makes the issue. */
enum dest_next jira_send_issue(struct conversation *c, struct dest_request *out, enum jira_step step);

/* The conversation about an event, from its first request on; ... */
enum dest_next jira_life_begin(struct conversation *c, struct dest_request *out);
/* ... and after the answer to one of its own steps. */
enum dest_next jira_life_next(struct conversation *c, const struct dest_response *last,
                              struct dest_request *out);

/* ---- searching ---- */

/* The path and the body of a search for the issue of an event. */
const char *jira_search_path(const struct jira_config *config);
void jira_search_add(struct buf *out, const struct jira_config *config, const struct conversation_job *job);

/* UNCLEAR: the answer is none of Jira's, or more was found than it says. */
enum jira_search { JIRA_SEARCH_UNCLEAR, JIRA_SEARCH_NONE, JIRA_SEARCH_FOUND };

/* The oldest issue whose description ends in the marker of JOB's event: its key in *KEY, in the arena. *SAME: its description
 * is the one in MADE, which jira_body_build made. */
enum jira_search jira_search_read(const struct dest_response *answer, const struct conversation_job *job,
                                  const struct buf *made, struct arena *arena, const char **key, bool *same);

/* ---- answers ---- */

/* What an issue may do without. */
enum jira_extra { JIRA_PRIORITY = 1, JIRA_LABELS = 2 };

/* Whether TEXT, which may be NULL, has the form of an issue's key. */
bool jira_is_key(const char *text);

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

/* The verdict on any other answer that is not what was asked for. REFUSED says what a 4xx means that says no more, LACKS what
 * a 403 does. */
struct verdict jira_refusal(const struct dest_response *answer, const char *refused, const char *lacks);
/* Of a 403: too many bad logins, and not a permission that is missing. */
bool jira_wants_captcha(const struct dest_response *answer);
/* The verdict on the answer to a comment. Delivered is only 201 with a comment's id. */
struct verdict jira_judge_comment(const struct dest_response *answer);
/* Jira says that the account may not do that; a CAPTCHA is something else. */
bool jira_lacks_permission(const struct dest_response *answer);
/* The verdict on a transition that was neither carried out nor refused for good. */
struct verdict jira_judge_transition(const struct dest_response *answer);
/* The verdict on the answer to a question for the project of an issue that is not to be seen: VERDICT_NONE when it is there. */
struct verdict jira_judge_project(const struct dest_response *answer);

/* NONE: the account may carry out none at all. OTHERS: none that is wanted. */
enum jira_transitions {
    JIRA_TRANSITIONS_UNCLEAR,
    JIRA_TRANSITIONS_NONE,
    JIRA_TRANSITIONS_OTHERS,
    JIRA_TRANSITIONS_FOUND
};

/* Of the transitions in ANSWER the one whose number is WANTED, or else its name, or else that of the status to which it leads;
 * letters of names in either case. Its number in *ID, in the arena. */
enum jira_transitions jira_transition_find(const struct dest_response *answer, const char *wanted,
                                           struct arena *arena, const char **id);

#endif
