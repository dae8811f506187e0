#ifndef NOTIFY_DESTINATIONS_GITHUB_TALK_H
#define NOTIFY_DESTINATIONS_GITHUB_TALK_H

#include "common/destinations/github.h"
#include "common/destinations/life.h"
#include "common/destinations/tags.h"

/*
 * The conversation with GitHub, for its files only: github.c makes issues and tests settings, github_life.c tells an issue
 * what became of its finding, github_look.c finds an issue that an earlier request may have made.
 */
enum github_step {
    GITHUB_BEGINS,
    GITHUB_LOOKED, /* of a test: at the repository */
    GITHUB_TRIED,
    GITHUB_SENT,
    GITHUB_SENT_BARE,
    GITHUB_LISTED,
    GITHUB_SEARCHED, /* behind the end of what was listed */
    GITHUB_STATE_SET,
    GITHUB_COMMENTED,
    GITHUB_MISSED,       /* the issue is not found: is the repository there? */
    GITHUB_MISSED_TWICE, /* it is: is the issue really not? */
};

/* How far the list of issues was read, and what was found in it. */
struct github_look {
    size_t per_page;
    size_t offset;      /* issues of the list, newest first, that are read */
    int older;          /* of those at the end, made too early to be it */
    int asked;          /* requests */
    int64_t read_to_us; /* when the last of them was made; wall clock */
    const char *number;
    bool open;
    bool says_this; /* its text is what would be said now */
};

/* What a conversation remembers. */
struct github_talk {
    struct tags labels;
    unsigned left_out; /* of enum github_extra */
    bool may_label;    /* of a test */
    enum life_act act; /* of a comment */
    struct github_look look;
};

struct github_talk *github_talk_of(struct conversation *c);

/* Fill OUT with a request to URL, and go to STEP. BODY may be NULL; its bytes are copied. */
enum dest_next github_ask(struct conversation *c, struct dest_request *out, const char *method,
                          const char *url, const struct buf *body, enum github_step step);
enum dest_next github_end(struct conversation *c, struct verdict verdict);
/* Bytes that a body may have. */
size_t github_room(const struct conversation *c);

/* Make the issue. */
enum dest_next github_open(struct conversation *c, struct dest_request *out);

/* Tell the issue of the reference: ACT is LIFE_CHANGE, LIFE_CLOSE or LIFE_REOPEN. */
enum dest_next github_tell(struct conversation *c, enum life_act act, struct dest_request *out);
/* After an answer to a request of github_tell. */
enum dest_next github_tell_on(struct conversation *c, const struct dest_response *last,
                              struct dest_request *out);

/* Find out whether there is an issue already, and go on with it, or without. */
enum dest_next github_look(struct conversation *c, struct dest_request *out);
enum dest_next github_look_on(struct conversation *c, const struct dest_response *last,
                              struct dest_request *out);
enum dest_next github_search_on(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out);

#endif
