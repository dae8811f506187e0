#ifndef NOTIFY_DESTINATIONS_DISCORD_H
#define NOTIFY_DESTINATIONS_DISCORD_H

#include "common/destinations/dest_config.h"
#include "common/destinations/text.h"

/*
 * The parts of the Discord destination, for discord.c, discord_body.c and their tests only: everybody else sees dest.h.
 *
 * Discord's limits (discord-api-docs resources/webhook and resources/message): a message that breaks one is refused
 * with 400, code 50035. It does not say whether it counts code points or UTF-16 units; here it is the latter, which are
 * never fewer. The last one is for all texts of all embeds together.
 */
enum {
    DISCORD_CONTENT_MAX = 2000,
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
    const char *url; /* the credential itself, with wait=true */
    enum dest_style style;
};

/* The message; layouts are those of enum dest_style. */
dest_body_builder discord_body_build;

/* A backslash before whatever Discord's Markdown, mentions, emoji, links and invitations are made of. */
text_escape discord_escape;

/*
 * The verdict on an answer. Delivered is 204, or 200 with the message that was stored. Else the `code` of the JSON body
 * decides, and without a known one the status. A 200 with another body is rejected, because a repeat may show twice.
 */
struct verdict discord_judge(const struct dest_response *response);

#endif
