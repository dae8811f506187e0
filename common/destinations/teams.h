#ifndef NOTIFY_DESTINATIONS_TEAMS_H
#define NOTIFY_DESTINATIONS_TEAMS_H

#include "common/destinations/dest_config.h"

/*
 * The parts of the Microsoft Teams destination, for teams*.c and its tests only: everybody else sees dest.h.
 *
 * Teams refuses a message of more than about 28 KB (learn.microsoft.com/connectors/teams, and for connectors
 * connectors-using.md of MicrosoftDocs/msteams-docs); the smallest reading of that is taken. Cards have no limits for
 * single texts, so these are ours, in characters: a headline holds the longest title (500) and what stands before it.
 */
enum {
    TEAMS_MESSAGE_MAX = 28000,
    TEAMS_HEADLINE_MAX = 600,
    TEAMS_LINE_MAX = 3000,
};

/* Card and text are numbered as enum dest_style, and as in the body cache. */
enum teams_style {
    TEAMS_CARD = DEST_STYLE_CARD,
    TEAMS_TEXT = DEST_STYLE_TEXT,
    TEAMS_CONNECTOR,
};

struct teams_config {
    const char *url; /* the credential itself */
    enum teams_style style;
};

/* For the trigger of a workflow: a message that holds an Adaptive Card. Layouts TEAMS_CARD and TEAMS_TEXT. */
dest_body_builder teams_card_build;
/* For what speaks the language of Office 365 connectors: a MessageCard. LAYOUT is TEAMS_CONNECTOR. */
dest_body_builder teams_connector_build;

/*
 * The verdict on a workflow's answer. 202 is its "accepted": the run has begun, and what becomes of it nobody is told.
 * Any other 2xx is that of a workflow with an answer of its own, unless it is a page or a connector's failure.
 */
struct verdict teams_workflow_judge(const struct dest_response *response);

/* The verdict on a connector's answer: 200 with the body `1` is the only success, and failures come as 200 too. */
struct verdict teams_connector_judge(const struct dest_response *response);

#endif
