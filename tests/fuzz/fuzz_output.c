/*
 * Rows of the database as notifyctl prints them: whatever stands in them, nothing of it drives a terminal or makes a
 * line of its own, bytes can be read back, and for scripts it is JSON with the same values.
 *
 * Input: rows of a text, a word, a number as PostgreSQL writes one, and bytes. A text is what stands before the next
 * NUL; of a byte 1 alone it is NULL.
 */
#include <libpq-fe.h>
#include <math.h>
#include <stdio.h>

#include "api/ctl/ctl_output.h"
#include "api/service/rows_json.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_check.h"

enum { COLUMNS = 4, ROWS_MOST = 6, INDENT = 2, TEXT_TYPE = 25, BYTEA_TYPE = 17, FLOAT8_TYPE = 701 };

struct printed {
    FILE *before;
    char *text;
    size_t size;
};

/* Standard output is kept until print_end. */
static void print_begin(struct printed *p)
{
    p->before = stdout;
    stdout = open_memstream(&p->text, &p->size);
    check(stdout != NULL);
}

static void print_end(struct printed *p)
{
    check(fclose(stdout) == 0);
    stdout = p->before;
}

static void check_printable(const struct printed *p)
{
    check(utf8_is_storable(p->text, p->size));
    for (size_t i = 0; i < p->size; i++) {
        check((unsigned char)p->text[i] >= 0x20 ? p->text[i] != 0x7f : p->text[i] == '\n');
        check((unsigned char)p->text[i] != 0xc2 || (unsigned char)p->text[i + 1] >= 0xa0);
    }
}

static int count_lines(const struct printed *p)
{
    int count = 0;
    for (size_t i = 0; i < p->size; i++)
        count += p->text[i] == '\n';
    return count;
}

/* ---- rows ---- */

static const char *some_number(struct fuzz_input *in, struct arena *a)
{
    double value = 0;
    unsigned char bytes[sizeof value];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = fuzz_byte(in);
    memcpy(&value, bytes, sizeof value);
    if (isnan(value))
        return "NaN";
    return isinf(value) ? (value < 0 ? "-Infinity" : "Infinity") : arena_printf(a, "%.17g", value);
}

static const char *hex_of(struct arena *a, const char *bytes, size_t n)
{
    char *text = arena_alloc(a, 2 * n + 3), *at = text + 2;
    memcpy(text, "\\x", 3);
    for (size_t i = 0; i < n; i++, at += 2)
        snprintf(at, 3, "%02x", (unsigned char)bytes[i]);
    return text;
}

static PGresult *read_rows(struct fuzz_input *in, struct arena *a)
{
    static PGresAttDesc columns[COLUMNS] = {{.name = "id", .typid = TEXT_TYPE, .typlen = -1},
                                            {.name = "state", .typid = TEXT_TYPE, .typlen = -1},
                                            {.name = "rate", .typid = FLOAT8_TYPE, .typlen = 8},
                                            {.name = "answer", .typid = BYTEA_TYPE, .typlen = -1}};
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    check(rows && PQsetResultAttrs(rows, COLUMNS, columns));
    for (int row = 0; row < ROWS_MOST && in->size > 0; row++)
        for (int c = 0; c < COLUMNS; c++) {
            size_t n = 0;
            const char *text = columns[c].typid == FLOAT8_TYPE ? some_number(in, a) : fuzz_text(in, a, &n);
            if (strcmp(text, "\1") == 0)
                text = NULL;
            else if (columns[c].typid == BYTEA_TYPE)
                text = hex_of(a, text, n);
            check(PQsetvalue(rows, row, c, (char *)text, text ? (int)strlen(text) : -1));
        }
    return rows;
}

/* ---- as people see them ---- */

static void check_table(const PGresult *rows, bool cut)
{
    struct printed p = {0};
    print_begin(&p);
    output_table(rows, cut);
    print_end(&p);
    check_printable(&p);
    check(count_lines(&p) == 1 + PQntuples(rows));
    free(p.text);
}

/* One line for each value, but for line breaks in bytes. */
static void check_record(const PGresult *rows, int row)
{
    struct printed p = {0};
    int lines = 0;
    for (int c = 0; c < COLUMNS; c++)
        lines += !PQgetisnull(rows, row, c);
    const char *bytes = PQgetvalue(rows, row, COLUMNS - 1);
    for (size_t i = 2; i < strlen(bytes); i += 2)
        lines += strncmp(bytes + i, "0a", 2) == 0;
    print_begin(&p);
    output_record(rows, row, INDENT);
    print_end(&p);
    check_printable(&p);
    check(count_lines(&p) == lines);
    free(p.text);
}

/* The escapes of output_bytes, read back. */
static void check_bytes(const char *bytes, size_t n)
{
    struct printed p = {0};
    size_t at = 0;
    unsigned value = 0;
    print_begin(&p);
    output_bytes(bytes, n, INDENT);
    print_end(&p);
    check_printable(&p);
    for (size_t i = 0; i < n; i++) {
        const char *said = p.text + at;
        if (strncmp(said, "\\x", 2) == 0) {
            check(sscanf(said + 2, "%2x", &value) == 1 && value == (unsigned char)bytes[i]);
            at += 4;
        } else if (*said == '\\') {
            check(said[1] == bytes[i] || (said[1] == 'n' && bytes[i] == '\n' && said[2] == '\n'));
            at += bytes[i] == '\n' ? 3 + INDENT : 2;
        } else {
            check(*said == bytes[i]);
            at++;
        }
    }
    check(at == p.size);
    free(p.text);
}

/* ---- as scripts see them ---- */

static void check_member(struct arena *a, struct json_object *object, const PGresult *rows, int row, int c)
{
    struct json_object *value = json_get(object, PQfname(rows, c));
    const char *stored = PQgetvalue(rows, row, c);
    size_t n = strlen(stored);
    if (PQftype(rows, c) == FLOAT8_TYPE)
        check(isfinite(strtod(stored, NULL)) ? json_object_get_double(value) == strtod(stored, NULL)
                                             : !value);
    else if (PQgetisnull(rows, row, c))
        check(value == NULL);
    else if (PQftype(rows, c) == BYTEA_TYPE)
        check(json_is_text(value));
    else
        check(json_is_text(value) &&
              strcmp(json_object_get_string(value), utf8_storable_copy(a, stored, n, 4 * n + 16)) == 0);
}

static void check_json(struct arena *a, const PGresult *rows)
{
    const char *why;
    struct buf out;
    buf_init(&out, OUTPUT_JSON_MAX);
    rows_json_array(&out, rows);
    struct json_object *root = json_parse(out.data, out.len, &why);
    check(root && json_check(out.data, out.len, false));
    check(json_object_array_length(root) == (size_t)PQntuples(rows));
    for (int row = 0; row < PQntuples(rows); row++) {
        struct json_object *object = json_object_array_get_idx(root, (size_t)row);
        check(json_object_object_length(object) == COLUMNS);
        for (int c = 0; c < COLUMNS; c++)
            check_member(a, object, rows, row, c);
    }
    json_object_put(root);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct arena a;
    arena_init(&a, 512);
    check_bytes((const char *)data, size);
    PGresult *rows = read_rows(&in, &a);
    check_table(rows, size & 1);
    for (int row = 0; row < PQntuples(rows); row++)
        check_record(rows, row);
    check_json(&a, rows);
    PQclear(rows);
    arena_free(&a);
    return 0;
}
