/*
 * discord_body - the message that a Discord channel gets
 *
 * Pure. Discord reads Markdown in every text but an embed's footer, and has no element without it; so each text is
 * escaped character by character (a backslash before anything but letters, digits and white space stands for the
 * character itself), and no mention is allowed to ping anybody besides. Lengths hold after escaping (text.h). "text" is
 * the line that users know and nothing else; "card" is one embed with a bar of colour. Its texts may have 6,000
 * characters together: when the text of a scanned system doubles by being escaped, the least important parts go, and
 * the small print says which.
 */
#include "common/base/check.h"
#include "common/base/iso8601.h"
#include "common/destinations/discord.h"
#include "common/destinations/life.h"
#include "common/destinations/message.h"

enum {
    RAW_MAX = 65536, /* bytes of one text before it is cut: more than any that is stored */
    PARTS_SIZE = 16384,
    ADDRESS_SHOWN = 500, /* a value that may be as long as an address gets a row of its own */
    CHANGE_SHOWN = 1000,
};

#define CLOSED_COLOUR 0x16A34A

/* ---- texts ---- */

static bool is_word(uint32_t code)
{
    return (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
}

/*
 * Colons and slashes for addresses, emoji and invitations (discord.gg/…), which have no other mark. A hyphen begins a
 * list or small print only where no word is before it, a full stop makes a list only of a number.
 */
const char *discord_escape(uint32_t code, uint32_t before)
{
    static const char marks[] = "\\*_~`|<>@#:/[]", *const escaped[] = {"\\\\", "\\*", "\\_", "\\~", "\\`",
                                                                       "\\|",  "\\<", "\\>", "\\@", "\\#",
                                                                       "\\:",  "\\/", "\\[", "\\]"};
    for (size_t i = 0; i < sizeof marks - 1; i++)
        if (code == (unsigned char)marks[i])
            return escaped[i];
    if (code == '-' && !is_word(before))
        return "\\-";
    if (code == '.' && before >= '0' && before <= '9')
        return "\\.";
    return NULL;
}

/* TEXT, escaped and at most MAX long, in the arena. *WHOLE, which may be NULL, says whether all of it is there. */
static const char *escape(struct arena *arena, const char *text, size_t max, bool *whole)
{
    struct buf b;
    buf_init(&b, RAW_MAX);
    bool all = text_add_escaped(&b, text, max, TEXT_UTF16_UNITS, discord_escape);
    const char *out = arena_text(arena, buf_text(&b), b.len);
    buf_free(&b);
    if (whole)
        *whole = all;
    return out;
}

/* ---- a card ---- */

/* The texts of an embed as they are sent; NULL where there is none. */
struct card {
    const char *title;
    const char *description;
    const char *values[MESSAGE_PARTS_MAX]; /* of the message's part at this place */
    const char *footer;
    size_t units; /* of all of them and their labels, as Discord counts */
};

static bool is_field(const struct message_part *part)
{
    return part->label && !part->detail && !part->dropped;
}

static const char *value_of(struct arena *arena, const struct message_part *part)
{
    struct buf b;
    buf_init(&b, RAW_MAX);
    text_add_cut(&b, part->text, part->shown);
    const char *out = escape(arena, buf_text(&b), DISCORD_VALUE_MAX, NULL);
    buf_free(&b);
    return out;
}

/* What has no label: the headline once more when the title is not all of it, what changed, what went wrong. */
static const char *description_of(struct arena *arena, const struct message *m, bool title_is_whole)
{
    struct buf b;
    buf_init(&b, RAW_MAX);
    if (!title_is_whole)
        buf_add_text(&b, m->headline);
    for (size_t i = 0; i < m->count; i++) {
        const struct message_part *part = &m->parts[i];
        if (part->label || part->detail || part->dropped)
            continue;
        buf_add_text(&b, b.len ? "\n\n" : "");
        text_add_cut(&b, part->text, part->shown);
    }
    const char *out = b.len ? escape(arena, buf_text(&b), DISCORD_DESCRIPTION_MAX, NULL) : NULL;
    buf_free(&b);
    return out;
}

static void lay_out(struct card *card, struct arena *arena, const struct message *m)
{
    bool whole = false;
    const char *left_out = message_left_out(m, arena);
    card->title = escape(arena, m->headline, DISCORD_TITLE_MAX, &whole);
    card->description = description_of(arena, m, whole);
    card->footer = left_out ? arena_printf(arena, "%s\n%s", m->ids, left_out) : m->ids;
    card->units = text_length(card->title, TEXT_UTF16_UNITS) +
                  text_length(card->description, TEXT_UTF16_UNITS) +
                  text_length(card->footer, TEXT_UTF16_UNITS);
    for (size_t i = 0; i < m->count; i++) {
        card->values[i] = is_field(&m->parts[i]) ? value_of(arena, &m->parts[i]) : NULL;
        if (card->values[i])
            card->units += text_length(m->parts[i].label, TEXT_UTF16_UNITS) +
                           text_length(card->values[i], TEXT_UTF16_UNITS);
    }
}

/* Short values stand side by side. */
static void add_fields(struct buf *b, const struct card *card, const struct message *m)
{
    buf_json_open_list(b, "fields");
    for (size_t i = 0; i < m->count; i++) {
        if (!card->values[i])
            continue;
        buf_json_open_item(b);
        buf_json_member(b, "name", m->parts[i].label);
        buf_json_member(b, "value", card->values[i]);
        buf_json_bool(b, "inline", m->parts[i].kind == MESSAGE_FIELD && m->parts[i].shown < ADDRESS_SHOWN);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

/* Green while nobody has to do anything about it. */
static uint32_t colour_of(const struct message *m)
{
    bool finding = m->event && event_is_about_finding(m->event->type);
    return finding && life_end_of(&m->facts->finding) != LIFE_GOES_ON ? CLOSED_COLOUR : m->colour;
}

static void add_card(struct buf *b, struct arena *arena, struct message *m, const struct event *event)
{
    struct card card = {0};
    char seen[ISO8601_TEXT];
    do
        lay_out(&card, arena, m);
    while (card.units > DISCORD_EMBEDS_TEXT_MAX && message_drop(m, false));
    buf_json_open_list(b, "embeds");
    buf_json_open_item(b);
    buf_json_member(b, "title", card.title);
    if (card.description)
        buf_json_member(b, "description", card.description);
    buf_json_key(b, "color");
    buf_add_int(b, colour_of(m));
    if (event) {
        iso8601_format(event->first_seen_us, seen);
        buf_json_member(b, "timestamp", seen);
    }
    add_fields(b, &card, m);
    buf_json_open_object(b, "footer");
    buf_json_member(b, "text", card.footer);
    buf_add_text(b, "}}]");
}

/* ---- the layouts ---- */

static void add_flags(struct buf *b, int flags)
{
    buf_json_key(b, "flags");
    buf_add_int(b, flags);
}

static void add_line(struct buf *b, struct arena *arena, const struct message *m)
{
    buf_json_member(b, "content", escape(arena, m->line, DISCORD_CONTENT_MAX, NULL));
    add_flags(b, DISCORD_SUPPRESS_EMBEDS);
}

/* What changed, as a part of a message that is not about the change. */
static void add_change(struct message *m, struct arena *arena, const char *change)
{
    struct buf b;
    buf_init(&b, RAW_MAX);
    text_add_clean(&b, change, TEXT_LINES);
    check(m->count < MESSAGE_PARTS_MAX);
    if (b.len > 0)
        m->parts[m->count++] = (struct message_part){
            .kind = MESSAGE_PARAGRAPH, .text = arena_text(arena, b.data, b.len), .shown = CHANGE_SHOWN};
    buf_free(&b);
}

/* The line, and below it what has no label: the change. */
static void add_edited_line(struct buf *b, struct arena *arena, const struct message *m)
{
    struct buf text;
    buf_init(&text, RAW_MAX);
    buf_add_text(&text, m->line);
    for (size_t i = 0; i < m->count; i++)
        if (!m->parts[i].label) {
            buf_add_char(&text, '\n');
            text_add_cut(&text, m->parts[i].text, m->parts[i].shown);
        }
    size_t room = DISCORD_CONTENT_MAX - DISCORD_WORDS_MAX - 1; /* and a line break */
    buf_json_member(b, "content", escape(arena, buf_text(&text), room, NULL));
    buf_free(&text);
}

/* The whole of a message in either style: what an edit does not name stays as it was, and somebody may have changed the
 * style since. */
static void add_edit(struct buf *b, struct arena *arena, const struct event *event, const struct facts *facts,
                     bool card)
{
    struct message m;
    struct event found = *event;
    if (event_is_about_finding(event->type))
        found.type = EVENT_FINDING_NEW;
    message_build(&m, arena, &found, facts);
    if (event->type == EVENT_FINDING_CHANGED)
        add_change(&m, arena, event->change_summary);
    if (card) {
        buf_json_member(b, "content", "");
        add_card(b, arena, &m, event);
        add_flags(b, 0);
        return;
    }
    add_edited_line(b, arena, &m);
    buf_json_open_list(b, "embeds");
    buf_add_char(b, ']');
    add_flags(b, DISCORD_SUPPRESS_EMBEDS);
}

static void add_message(struct buf *b, struct arena *arena, const struct event *event,
                        const struct facts *facts, bool card)
{
    struct message m;
    message_build(&m, arena, event, facts);
    if (card)
        add_card(b, arena, &m, event);
    else
        add_line(b, arena, &m);
}

void discord_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    struct arena arena;
    bool card = layout % DISCORD_EDIT == DEST_STYLE_CARD;
    arena_init(&arena, PARTS_SIZE);
    buf_add_char(b, '{');
    if (layout < DISCORD_EDIT)
        add_message(b, &arena, event, facts, card);
    else
        add_edit(b, &arena, event, facts, card);
    buf_json_key(b, "allowed_mentions");
    buf_add_text(b, "{\"parse\":[]}}");
    arena_free(&arena);
}
