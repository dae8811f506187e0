#ifndef NOTIFY_DESTINATIONS_TEXT_H
#define NOTIFY_DESTINATIONS_TEXT_H

#include <stdbool.h>

#include "common/base/buf.h"

/*
 * Text from scanned systems on its way into a message: cleaned, then cut, then escaped, in this order. Input
 * is UTF-8; a byte that is none counts as U+FFFD. NULL is an empty text.
 */
enum text_shape {
    TEXT_ONE_LINE, /* line breaks become a blank */
    TEXT_LINES,    /* line breaks stay, at most one empty line in a row */
};

/*
 * Append TEXT without what cannot be seen or deceives the eye: control characters, zero-width characters,
 * the marks that change the direction of writing (a title could else be read backwards), tag characters.
 * Runs of blanks become one, blanks at both ends go.
 */
void text_add_clean(struct buf *out, const char *text, enum text_shape shape);

/* Append at most MAX (from 1 on) characters (code points) of TEXT; the last is U+2026 when some were left
 * out. True when all of it is there. */
bool text_add_cut(struct buf *out, const char *text, size_t max);

/*
 * Append TEXT with & < > as Slack wants them in mrkdwn and plain_text alike
 * (docs.slack.dev/messaging/formatting-message-text): then no `<!channel>`, `<@U…>`, `<url|label>` is left.
 * What is appended has at most MAX (from 1 on) characters after escaping; it is cut between characters and
 * ends in U+2026 then. Counted are UTF-16 units, because vendors do not say how they count and there is no
 * larger way. True when all of it is there.
 * It is no defence against * _ ~ and backticks, for which mrkdwn has no escape: put it into plain_text only.
 */
bool text_add_slack(struct buf *out, const char *text, size_t max);

#endif
