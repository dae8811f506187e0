#ifndef NOTIFY_DESTINATIONS_DISCORD_H
#define NOTIFY_DESTINATIONS_DISCORD_H

#include "common/destinations/dest_config.h"
#include "common/destinations/text.h"

/*
 * The parts of the Discord destination, for discord*.c and their tests only: everybody else sees dest.h.
 *
 * Discord's limits (discord-api-docs resources/webhook and resources/message): a message that breaks one is refused
 * with 400, code 50035. It does not say whether it counts code points or UTF-16 units; here it is the latter, which are
 * never fewer. The last one is for all texts of all embeds together.
 */
enum {
    DISCORD_CONTENT_MAX = 2000,
    DISCORD_WORDS_MAX = 400, /* of these, what an edit says of itself; ours */
    DISCORD_TITLE_MAX = 256,
    DISCORD_DESCRIPTION_MAX = 4096,
    DISCORD_VALUE_MAX = 1024,
    DISCORD_FOOTER_MAX = 2048,
    DISCORD_FIELDS_MAX = 25,
    DISCORD_EMBEDS_TEXT_MAX = 6000,
};

/* Bits of a message's flags: no previews of links. */
enum { DISCORD_SUPPRESS_EMBEDS = 1 << 2 };

struct discord_config {
    const char *url;   /* the credential itself, with wait=true */
    const char *place; /* the same without its query and a slash at the end */
    const char *query; /* "?" and the parameters but for wait; "" when there are none */
    enum dest_style style;
};

/*
 * The message. Layouts are those of enum dest_style, and with DISCORD_EDIT added what takes the place of a finding's
 * message: the finding as it is now, with what changed. That begins with DISCORD_EDIT_START, behind which words about the
 * change may be put, up to DISCORD_WORDS_MAX.
 */
enum { DISCORD_EDIT = 2 };
#define DISCORD_EDIT_START "{\"content\":\""
dest_body_builder discord_body_build;

/* A backslash before whatever Discord's Markdown, mentions, emoji, links and invitations are made of. */
text_escape discord_escape;

/*
 * The verdict on an answer. Delivered is 204, or 200 with the message that was stored. Else the `code` of the JSON body
 * decides, and without a known one the status. A 200 with another body is rejected, because a repeat may show twice.
 */
dest_judge discord_judge;

/* What every request to Discord has: a name in its form, and room for the message in the answer. */
void discord_sign(struct dest_request *request);

/* dest.next of a conversation about a finding. */
enum dest_next discord_life_next(struct conversation *c, const struct dest_response *last,
                                 struct dest_request *out);

#endif
