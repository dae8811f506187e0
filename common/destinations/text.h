#ifndef NOTIFY_DESTINATIONS_TEXT_H
#define NOTIFY_DESTINATIONS_TEXT_H

#include <stdbool.h>
#include <stdint.h>

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

/* What stands for a character in a destination's markup, static; NULL: the character itself. BEFORE is the
 * one before it in the text, 0 at the start. */
typedef const char *text_escape(uint32_t code, uint32_t before);

/* How a vendor counts; UTF-16 units where it does not say, because there is no larger way but bytes. */
enum text_unit { TEXT_CODE_POINTS, TEXT_UTF16_UNITS, TEXT_BYTES };

/* How long TEXT, valid UTF-8, is for a vendor who counts so. */
size_t text_length(const char *text, enum text_unit unit);

/*
 * Append TEXT escaped. What is appended has at most MAX (from 1 on) UNITs after escaping; it is cut between
 * characters, never inside of an escape, and ends in U+2026 then. True when all of it is there.
 */
bool text_add_escaped(struct buf *out, const char *text, size_t max, enum text_unit unit,
                      text_escape *escape);

/* For HTML and for Slack, which reads &amp; &lt; &gt; in mrkdwn and plain_text alike
 * (docs.slack.dev/messaging/formatting-message-text): then no `<!channel>`, `<@U…>`, `<url|label>` and no tag
 * is left. No defence against * _ ~ and backticks, for which mrkdwn has no escape: put it into plain_text. */
text_escape text_escape_entities;

/* For markup that has no escape that all of its readers know (Markdown in chats): characters that look the same but mean
 * nothing instead of < > * ~ ` @, of _ that opens a word, and of what would begin a link, a list, a heading, a template
 * or a numeric entity where it stands. */
text_escape text_escape_lookalike;

/* Parts `{{` and `${`, which cards of several vendors read as templates. */
text_escape text_escape_template;

#endif
