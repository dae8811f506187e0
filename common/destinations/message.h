#ifndef NOTIFY_DESTINATIONS_MESSAGE_H
#define NOTIFY_DESTINATIONS_MESSAGE_H

#include "common/base/arena.h"
#include "common/model/event.h"

/*
 * What people are told about an event, in parts and in the order in which they are shown, before any
 * destination's markup and limits. Texts are cleaned (text.h) but not escaped and not cut: what comes from
 * scanned systems may still be markup at the destination.
 */
enum { MESSAGE_PARTS_MAX = 20 };

enum message_part_kind {
    MESSAGE_FIELD,     /* a label and a value on one line */
    MESSAGE_PARAGRAPH, /* a text of several lines, perhaps with a label above it */
};

struct message_part {
    enum message_part_kind kind;
    const char *label; /* static; NULL: none */
    const char *text;  /* never empty */
    size_t shown;      /* characters of it that somebody in a chat will still read */
    int rank;          /* how soon it goes when there is no room for all: the largest first */
    bool detail;       /* for tickets and pagers, where there is room; a chat does without it */
    bool dropped;      /* by message_drop */
};

struct message {
    const char *headline;
    const char *line;          /* the whole event in the words that users know (wording.h) */
    const char *ids;           /* small print, by which the product's own pages find it */
    uint32_t colour;           /* 0xRRGGBB */
    const struct event *event; /* what it tells of, borrowed; NULL: a test */
    const struct facts *facts;
    struct message_part parts[MESSAGE_PARTS_MAX];
    size_t count;
};

/* Texts live in the arena or are static. Without an event: the message of a test. */
void message_build(struct message *out, struct arena *arena, const struct event *event,
                   const struct facts *facts);

/* The text of the part that has this LABEL; NULL: there is none. */
const char *message_text(const struct message *m, const char *label);

/* Mark the least important part that is still there as dropped; false when none is left. DETAIL says whether
 * details count. */
bool message_drop(struct message *m, bool detail);

/* "Left out for length: Remediation, Description"; NULL when nothing was dropped. */
const char *message_left_out(const struct message *m, struct arena *arena);

#endif
