/*
 * rows_json - rows of the database as JSON
 *
 * A column's name is its member's name and its type decides the form, so that a statement is all that a command or a route has
 * to write. Bytes become text where they are text: what receivers answer, which is kept as it came. Pure.
 */
#include "api/service/rows_json.h"

#include <string.h>

#include "common/base/utf8.h"
#include "common/destinations/dest.h"

/* Types by their object ids, which never change (PostgreSQL's pg_type.dat). */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_JSON = 114,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_NUMERIC = 1700,
};

/* N without the bytes of a last character that was cut in two. */
static size_t whole_characters(const char *text, size_t n)
{
    for (size_t back = 1; back < 4 && back <= n; back++) {
        unsigned char c = (unsigned char)text[n - back];
        size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (c >= 0xc0)
            return needs > back ? n - back : n;
    }
    return n;
}

/* As encode(..., 'escape') does. */
static void add_escaped(struct buf *out, const unsigned char *bytes, size_t n)
{
    struct buf text;
    buf_init(&text, 4 * n + 1);
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == 0 || bytes[i] >= 0x80)
            buf_printf(&text, "\\%03o", bytes[i]);
        else if (bytes[i] == '\\')
            buf_add_text(&text, "\\\\");
        else
            buf_add_char(&text, (char)bytes[i]);
    }
    buf_json_text(out, buf_text(&text));
    buf_free(&text);
}

static void add_bytea(struct buf *out, const char *value)
{
    size_t n = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)value, &n);
    const char *text = (const char *)bytes;
    size_t whole = bytes && n == DEST_ANSWER_KEPT ? whole_characters(text, n) : n;
    if (!bytes)
        buf_add_text(out, "null");
    else if (utf8_is_storable(text, whole))
        buf_json_bytes(out, text, whole);
    else
        add_escaped(out, bytes, n);
    PQfreemem(bytes);
}

static void add_value(struct buf *out, Oid type, const char *value)
{
    switch (type) {
    case TYPE_BOOL:
        buf_add_text(out, *value == 't' ? "true" : "false");
        break;
    case TYPE_BYTEA:
        add_bytea(out, value);
        break;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC:
        buf_add_text(out, strpbrk(value, "IN") ? "null" : value); /* Infinity and NaN are no JSON */
        break;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_JSON:
        buf_add_text(out, value);
        break;
    default:
        buf_json_text(out, value);
    }
}

void rows_json_members(struct buf *out, const PGresult *rows, int row, int from)
{
    for (int c = from; c < PQnfields(rows); c++) {
        buf_json_key(out, PQfname(rows, c));
        if (PQgetisnull(rows, row, c))
            buf_add_text(out, "null");
        else
            add_value(out, PQftype(rows, c), PQgetvalue(rows, row, c));
    }
}

void rows_json_object(struct buf *out, const PGresult *rows, int row, int from)
{
    buf_add_char(out, '{');
    rows_json_members(out, rows, row, from);
    buf_add_char(out, '}');
}

void rows_json_with(struct buf *out, const PGresult *rows, int row, const char *name, const PGresult *parts,
                    int from)
{
    buf_add_char(out, '{');
    rows_json_members(out, rows, row, 0);
    buf_json_key(out, name);
    buf_add_char(out, '[');
    for (int i = 0; i < PQntuples(parts); i++) {
        if (i)
            buf_add_char(out, ',');
        rows_json_object(out, parts, i, from);
    }
    buf_add_text(out, "]}");
}

void rows_json_array(struct buf *out, const PGresult *rows)
{
    buf_add_char(out, '[');
    for (int i = 0; i < PQntuples(rows); i++) {
        buf_add_text(out, i ? ",\n " : "");
        rows_json_object(out, rows, i, 0);
    }
    buf_add_char(out, ']');
}
