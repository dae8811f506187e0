/*
 * text_lookalike - markup without an escape becomes text by other letters
 *
 * Pure. Some chats read Markdown or a relative of it and have no way to write its characters as themselves: a backslash
 * or an entity shows, or is obeyed by one client and not by the next. Characters that look like them are the same
 * everywhere. Only what would be markup where it stands is replaced, so that names with underscores, paths and numbers
 * can still be searched for and copied.
 */
#include "common/destinations/text.h"

#include <stddef.h>

static bool is_word(uint32_t code)
{
    return (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
}

/* At the beginning of a line they are a heading, a list or the line below a heading. */
static const char *at_line_start(uint32_t code)
{
    switch (code) {
    case '#':
        return "＃";
    case '-':
        return "‐";
    case '+':
        return "＋";
    case '=':
        return "＝";
    default:
        return NULL;
    }
}

/* What means something only behind another character: links, templates, numeric entities. */
static const char *behind(uint32_t code, uint32_t before)
{
    if (code == '/' && before == ':')
        return "∕";
    if (code == '.' && (before == 'w' || before == 'W'))
        return "․";
    if (code == '(' && before == ']')
        return " (";
    if (code == ':' && before == ']')
        return " :";
    if (code == '#' && before == '&')
        return "＃";
    return text_escape_template(code, before);
}

const char *text_escape_template(uint32_t code, uint32_t before)
{
    return code == '{' && (before == '{' || before == '$') ? " {" : NULL;
}

const char *text_escape_lookalike(uint32_t code, uint32_t before)
{
    switch (code) {
    case '<':
        return "‹";
    case '>':
        return "›";
    case '*':
        return "∗";
    case '~':
        return "∼";
    case '`':
        return "ˋ";
    case '@':
        return "＠";
    case '_':
        return is_word(before) ? NULL : "＿";
    default:
        break;
    }
    const char *instead = before == 0 || before == '\n' ? at_line_start(code) : NULL;
    return instead ? instead : behind(code, before);
}
