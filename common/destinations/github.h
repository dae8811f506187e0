#ifndef NOTIFY_DESTINATIONS_GITHUB_H
#define NOTIFY_DESTINATIONS_GITHUB_H

#include "common/destinations/dest_config.h"
#include "common/destinations/life.h"

/*
 * The parts of the GitHub destination, for its files and tests only: everybody else sees dest.h.
 *
 * GitHub's limits: a title has 256 characters, a body 65,536 ("body is too long (maximum is 65536 characters)",
 * peter-evans/create-issue-from-file#1705); ours has less than half, because longer ones are not read. An issue has at
 * most 10 assignees (docs.github.com/rest/issues/issues). Names of labels have 50 characters; what is longer is refused.
 * An answer repeats the body and describes every person in it. Of a list, so does every issue: 100 of ours fit, and 4 of
 * the longest that there are.
 */
enum {
    GITHUB_TITLE_MAX = 256,  /* UTF-16 units */
    GITHUB_BODY_MAX = 30000, /* UTF-16 units */
    GITHUB_LABELS_MAX = 16,
    GITHUB_LABEL_MAX = 50, /* bytes */
    GITHUB_ASSIGNEES_MAX = 10,
    GITHUB_LOGIN_MAX = 64, /* bytes; 39 but for accounts that an enterprise manages */
    GITHUB_TOKEN_MAX = 1024,
    GITHUB_ANSWER_MAX = 1 << 20, /* bytes */
    GITHUB_LIST_MAX = 1 << 21,   /* bytes */
};

struct github_config {
    const char *url;           /* of the repository in the API */
    const char *search;        /* for issues of the repository, up to what is searched for */
    const char *authorization; /* the header's value */
    struct dest_config_list labels;
    struct dest_config_list assignees;
};

extern const struct dest_setting github_settings[];
const void *github_config_parse(struct arena *arena, const char *json, size_t size,
                                struct dest_config_error *error);

/*
 * GITHUB_ISSUE: `{"title":…,"body":…`, without the end, behind which labels and assignees follow; for a test, with a title
 * that is empty. The last line of the body holds the event's marker (alert.h).
 * GITHUB_COMMENT: a JSON string, what a comment says of a finding behind what happened to it.
 */
enum github_layout { GITHUB_ISSUE, GITHUB_COMMENT };
dest_body_builder github_body_build;
/* The whole comment, `{"body":…}`: what happened, and then REST, which is that of GITHUB_COMMENT. */
void github_comment_add(struct buf *out, enum life_act act, const struct event *event,
                        const struct facts *facts, const struct buf *rest);
/* BODY of an issue is one of ours, with MARKER: its last line ends in it, as no quotation of it does. */
bool github_body_has_marker(const char *body, const char *marker);

/*
 * Append TEXT without mentions and references, which GitHub and the mails of it would make of it: a zero-width space
 * stands behind each @ before a letter or digit and each # before a digit. Of a title, code and emoji too.
 */
void github_add_inert(struct buf *out, const char *text);
void github_add_title(struct buf *out, const char *text);
/* Append TEXT, inert, with line breaks in place of blanks where a line would be longer than people read. */
void github_add_prose(struct buf *out, const char *text);

/* What an issue may do without. */
enum github_extra { GITHUB_LABELS = 1, GITHUB_ASSIGNEES = 2 };

/* Which of the extras SENT (a set of github_extra) the answer refuses, so that the issue may be had without: 0 if none. */
unsigned github_refused_extras(const struct dest_response *answer, unsigned sent);
/*
 * The verdict on the answer to a new issue with LABELS. LEFT_OUT are the extras that were refused before. Delivered is only
 * 201 with an issue's number; what the issue lacks is said in the detail.
 */
struct verdict github_judge(const struct dest_response *answer, struct arena *arena,
                            const char *const *labels, size_t label_count, unsigned left_out);
/* The verdict of a test on what is known of the repository; VERDICT_NONE when nothing speaks against issues. *MAY_LABEL:
 * the token's account may set labels and assignees. */
struct verdict github_judge_repository(const struct dest_response *answer, struct arena *arena,
                                       bool *may_label);
/* The verdict of a test on the answer to an issue without a title: what proves the right to make issues is that GitHub
 * misses nothing but the title. */
struct verdict github_judge_test(const struct dest_response *answer, struct arena *arena, bool may_label);

/* TEXT, which may be NULL, is an issue's number. */
bool github_is_number(const char *text);
/* The number of the issue that was made, as the answer says; NULL: none was, or it is not said. */
const char *github_issue_number(const struct dest_response *answer, struct arena *arena);

/* On an answer to a request about an issue: VERDICT_NONE when it has STATUS and is an object with the number MEMBER. */
struct verdict github_judge_step(const struct dest_response *answer, struct arena *arena, long status,
                                 const char *member);
/* On an answer to a request for a list: VERDICT_NONE when it is one, which may be cut. */
struct verdict github_judge_list(const struct dest_response *answer, struct arena *arena);
/* The same of a search, whose answer must be whole. */
struct verdict github_judge_search(const struct dest_response *answer, struct arena *arena);
/* The issue was deleted, which GitHub says to those who may see the repository. */
bool github_is_deleted(const struct dest_response *answer);
/* There is nothing, or the token may not see it. */
bool github_is_missing(const struct dest_response *answer);
/* The issue is locked: it takes no comment, of this account at least. */
bool github_is_locked(const struct dest_response *answer);
/* On the repository of an issue that is missing: VERDICT_NONE when it is there and has issues. */
struct verdict github_judge_missed(const struct dest_response *answer, struct arena *arena);
/* On an issue that can be read after it could not be written. */
struct verdict github_read_only(void);

#endif
