/*
 * conf_scan - a look at a configuration's text before libconfig parses it
 *
 * libconfig 1.5 keeps the low 32 bits of a whole number that has no L behind it, without a word: 4294967298
 * would be 2. So numbers that are too long get their L, and the range check then refuses them by name. Nor
 * does it say where a string that never ends begins (and it leaks what it has read of it).
 *
 * To "broker.url = ..." it says "syntax error", or "duplicate setting" when the group stands there too.
 *
 * Knows just enough of the syntax to tell strings, comments and words apart. Pure. Lines stay where they are.
 */
#include <ctype.h>
#include <string.h>

#include "common/base/conf_read.h"

enum {
    INT_DIGITS_SAFE = 9, /* a decimal number of nine digits fits into 32 bits */
    HEX_DIGITS_SAFE = 7,
};

/* The length of the string that starts at TEXT; 0 when it does not end. */
static size_t string_length(const char *text)
{
    const char *at = text + 1;
    for (; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? (size_t)(at + 1 - text) : 0;
}

/* The length of the word (name or number) that starts at TEXT, or of one other byte; *LONG_NUMBER: a whole
 * number without L that may not fit into 32 bits. */
static size_t word_length(const char *text, bool *long_number)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.*+-");
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    size_t skip = hex ? 2 : (text[0] == '-' || text[0] == '+') ? 1 : 0;
    size_t digits = strspn(text + skip, hex ? "0123456789abcdefABCDEF" : "0123456789");
    *long_number = digits > (size_t)(hex ? HEX_DIGITS_SAFE : INT_DIGITS_SAFE) && skip + digits == n;
    return n ? n : 1;
}

/* True when the word of N bytes at TEXT is a path, as our documents and errors write it, and a value follows. */
static bool is_dotted_name(const char *text, size_t n)
{
    const char *next = text + n + strspn(text + n, " \t");
    const char *dot = memchr(text, '.', n);
    return isalpha((unsigned char)text[0]) && dot && dot + 1 < text + n && (*next == '=' || *next == ':');
}

static void advise_group(const char *text, size_t n, char why[CONF_SCAN_WHY])
{
    size_t group = strcspn(text, ".");
    int name = (int)(n - group - 1);
    snprintf(why, CONF_SCAN_WHY, "a name cannot have a dot; write %.*s = { %.*s = ...; };",
             (int)(group < 64 ? group : 64), text, name < 64 ? name : 64, text + group + 1);
}

static int count_lines(const char *text, size_t n)
{
    int lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

bool conf_scan(const char *text, struct buf *out, int *line, char why[CONF_SCAN_WHY])
{
    *line = 1;
    while (*text) {
        bool long_number = false;
        size_t n;
        if (text[0] == '#' || (text[0] == '/' && text[1] == '/')) {
            n = strcspn(text, "\n");
        } else if (text[0] == '/' && text[1] == '*') {
            const char *end = strstr(text + 2, "*/");
            n = end ? (size_t)(end + 2 - text) : 0;
            snprintf(why, CONF_SCAN_WHY, "the comment that begins here has no end; close it with */");
        } else if (text[0] == '"') {
            n = string_length(text);
            snprintf(why, CONF_SCAN_WHY, "the text that begins here has no closing quote");
        } else {
            n = word_length(text, &long_number);
            if (is_dotted_name(text, n)) {
                advise_group(text, n, why);
                return false;
            }
        }
        if (!n)
            return false;
        buf_add(out, text, n);
        if (long_number)
            buf_add_char(out, 'L');
        *line += count_lines(text, n);
        text += n;
    }
    return true;
}
