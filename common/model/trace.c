/*
 * trace - which trace an event belongs to
 *
 * Pure. Reads and writes the two headers of W3C Trace Context. What comes is hostile: a traceparent is read to bytes or not at
 * all, and a tracestate is passed on only if it is a plain list of printable members. A trace that we made ourselves has the first
 * half of its id as its parent: a mark that travels with it through every message and row and costs no field of its own. That a
 * producer gives such a pair by chance has one chance in 2^64, and all that follows is that a receiver is not told of it.
 */
#include "common/model/trace.h"

#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"

enum {
    VERSION_AT = 0,
    ID_AT = 3,
    SPAN_AT = ID_AT + 2 * TRACE_ID_SIZE + 1,
    FLAGS_AT = SPAN_AT + 2 * TRACE_SPAN_SIZE + 1,
    PARENT_SIZE = FLAGS_AT + 2,
    VERSION_INVALID = 0xff, /* section 3.2.2.1 */
    FLAGS_KNOWN =
        0x03, /* sampled, and level 2's random; others are zero in what we write (section 3.2.2.5) */
    STATE_MEMBERS_MAX = 32, /* section 3.3.1.1 */
    STATE_KEY_MAX = 256,    /* section 3.3.1.3.1; so is the next */
    STATE_VALUE_MAX = 256,
};

_Static_assert(PARENT_SIZE + 1 == TRACE_PARENT_TEXT, "the text of a traceparent and its end");

/* A digit, lower case only (section 3.2.2); negative when it is none. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_bytes(const char *text, unsigned char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

/* A later version may go on behind a dash; its first four parts are read as those of version 00 (section 3.2.4). */
static bool ends_well(unsigned char version, const char *text, size_t n)
{
    if (n == PARENT_SIZE)
        return version != VERSION_INVALID;
    return version != 0 && version != VERSION_INVALID && text[PARENT_SIZE] == '-';
}

bool trace_parse(struct trace *out, const char *text, size_t n)
{
    struct trace t = {.known = true};
    unsigned char version = 0;
    memset(out, 0, sizeof *out);
    if (n < PARENT_SIZE || text[ID_AT - 1] != '-' || text[SPAN_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!read_bytes(text + VERSION_AT, &version, 1) || !read_bytes(text + ID_AT, t.id, sizeof t.id) ||
        !read_bytes(text + SPAN_AT, t.parent, sizeof t.parent) || !read_bytes(text + FLAGS_AT, &t.flags, 1))
        return false;
    if (!ends_well(version, text, n) || is_zero(t.id, sizeof t.id) || is_zero(t.parent, sizeof t.parent))
        return false;
    t.flags &= FLAGS_KNOWN;
    *out = t;
    return true;
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != 0 && strchr("_-*/@", c));
}

/* One key=value; a value is printable and does not end with a blank (section 3.3.1.3). */
static bool is_member(const char *text, size_t n)
{
    const char *equals = memchr(text, '=', n);
    size_t key = equals ? (size_t)(equals - text) : 0, value = n - key - 1;
    if (key == 0 || key > STATE_KEY_MAX || value == 0 || value > STATE_VALUE_MAX || text[n - 1] == ' ')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (i < key ? !is_key_char(text[i]) : text[i] < ' ' || text[i] > '~')
            return false;
        if (i > key && text[i] == '=')
            return false;
    }
    return true;
}

bool trace_state_is_good(const char *text, size_t n)
{
    const char *at = text, *end = text + n;
    if (n == 0 || n > TRACE_STATE_MAX)
        return false;
    for (size_t members = 0; at <= end; members++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        while (at < stop && *at == ' ')
            at++;
        if (members == STATE_MEMBERS_MAX || !is_member(at, (size_t)(stop - at)))
            return false;
        at = stop + 1;
    }
    return true;
}

void trace_make(struct trace *out, const char *name)
{
    unsigned char hash[SHA256_SIZE];
    memset(out, 0, sizeof *out);
    hash_sha256(name, strlen(name), hash);
    memcpy(out->id, hash, sizeof out->id);
    memcpy(out->parent, out->id, sizeof out->parent);
    out->known = true;
}

bool trace_is_made(const struct trace *t)
{
    return memcmp(t->parent, t->id, sizeof t->parent) == 0;
}

void trace_id_format(const struct trace *t, char out[TRACE_ID_TEXT])
{
    hash_hex(t->id, sizeof t->id, out);
}

void trace_parent_format(const struct trace *t, const unsigned char span[TRACE_SPAN_SIZE],
                         char out[TRACE_PARENT_TEXT])
{
    snprintf(out, TRACE_PARENT_TEXT, "00-");
    hash_hex(t->id, sizeof t->id, out + ID_AT);
    out[SPAN_AT - 1] = '-';
    hash_hex(span, TRACE_SPAN_SIZE, out + SPAN_AT);
    out[FLAGS_AT - 1] = '-';
    hash_hex(&t->flags, 1, out + FLAGS_AT);
}

void trace_row_format(const struct trace *t, char out[TRACE_ROW_TEXT])
{
    trace_parent_format(t, t->parent, out);
    if (t->state)
        snprintf(out + PARENT_SIZE, TRACE_ROW_TEXT - PARENT_SIZE, " %s", t->state);
}

bool trace_row_parse(struct trace *out, struct arena *arena, const char *text, size_t n)
{
    const char *blank = memchr(text, ' ', n);
    size_t parent = blank ? (size_t)(blank - text) : n;
    if (!trace_parse(out, text, parent))
        return false;
    if (blank && trace_state_is_good(blank + 1, n - parent - 1))
        out->state = arena_text(arena, blank + 1, n - parent - 1);
    return true;
}
