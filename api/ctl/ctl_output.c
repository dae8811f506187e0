/*
 * ctl_output - rows, texts and bytes on standard output, for people
 *
 * Whatever is printed came from outside at some time, so nothing of it may drive the terminal: in tables and texts
 * control characters are '?', bytes are shown as \xNN. Widths are counted in code points, which is right for all but
 * wide scripts. Pure but for printing. Scripts get JSON (api/service/rows_json.c).
 */
#include "api/ctl/ctl_output.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "api/service/rows_json.h"
#include "common/base/utf8.h"
#include "common/model/words.h"

enum {
    COLUMNS_MAX = 16,
    GAP = 2,
    CUT_WIDTH = 60,
    CUT_WIDTH_MIN = 20, /* so that there is something to read on a narrow terminal, which then wraps */
    NAME_WIDTH = 20,
    BYTEA = 17, /* PostgreSQL's pg_type.dat */
};

/* C0, DEL, and C1, which is 0xC2 0x80 to 0xC2 0x9F. */
static bool is_control(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    return first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)text[1] < 0xa0);
}

/* Print TEXT, MOST code points of it, or only count its width when OUT is NULL. */
static int put_text(FILE *out, const char *text, int most)
{
    int width = 0;
    size_t left = strlen(text);
    while (left && width < most) {
        size_t n = utf8_length_at(text, left);
        if (out && (!n || is_control(text)))
            fputc('?', out);
        else if (out)
            fwrite(text, 1, n, out);
        width++;
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    return width;
}

static void put_cell(FILE *out, const char *text, int width, bool last)
{
    bool cut = put_text(NULL, text, INT_MAX) > width;
    int used = put_text(out, text, cut ? width - 1 : width);
    if (cut)
        fputs("\u2026", out);
    else if (!last)
        fprintf(out, "%*s", width - used + GAP, "");
}

/* How wide the last column may be, behind columns that take USED. */
static int last_width(int used)
{
    struct winsize terminal;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &terminal) != 0 || !terminal.ws_col)
        return CUT_WIDTH;
    int left = terminal.ws_col - used;
    return left > CUT_WIDTH_MIN ? left : CUT_WIDTH_MIN;
}

void output_table(const PGresult *rows, bool cut_last)
{
    output_table_to(stdout, rows, cut_last);
}

void output_table_to(FILE *out, const PGresult *rows, bool cut_last)
{
    if (!PQntuples(rows)) {
        fputs("(none)\n", out);
        return;
    }
    int used = 0;
    int columns = PQnfields(rows) < COLUMNS_MAX ? PQnfields(rows) : COLUMNS_MAX;
    int widths[COLUMNS_MAX];
    for (int c = 0; c < columns; c++) {
        widths[c] = put_text(NULL, PQfname(rows, c), INT_MAX);
        for (int r = 0; r < PQntuples(rows); r++) {
            int width = put_text(NULL, PQgetvalue(rows, r, c), INT_MAX);
            if (width > widths[c])
                widths[c] = width;
        }
        if (cut_last && c == columns - 1 && widths[c] > last_width(used))
            widths[c] = last_width(used);
        used += widths[c] + GAP;
    }
    for (int r = -1; r < PQntuples(rows); r++) {
        for (int c = 0; c < columns; c++)
            put_cell(out, r < 0 ? PQfname(rows, c) : PQgetvalue(rows, r, c), widths[c], c == columns - 1);
        fputc('\n', out);
    }
}

void output_text(const char *text)
{
    put_text(stdout, text, INT_MAX);
}

void output_bytes(const char *bytes, size_t n, int indent)
{
    while (n) {
        size_t length = utf8_length_at(bytes, n);
        if (*bytes == '\n')
            printf("\\n\n%*s", indent, "");
        else if (*bytes == '\\')
            fputs("\\\\", stdout);
        else if (!length || is_control(bytes))
            for (size_t i = 0; i < (length ? length : 1); i++)
                printf("\\x%02x", (unsigned char)bytes[i]);
        else
            fwrite(bytes, 1, length, stdout);
        bytes += length ? length : 1;
        n -= length ? length : 1;
    }
}

/* What the product's lists say of a word in the column NAME; NULL when it is none of theirs. */
static const char *help_for(const char *name, const char *word)
{
    static const char *const lists[][2] = {
        {"state", "states"}, {"state", "event-states"}, {"reason", "reasons"}, {"error", "errors"}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const char *help =
            strcmp(name, lists[i][0]) == 0 ? word_list_help(word_list_find(lists[i][1]), word) : NULL;
        if (help)
            return help;
    }
    return NULL;
}

static void put_bytea(const char *value, int indent)
{
    size_t n = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)value, &n);
    if (bytes)
        output_bytes((const char *)bytes, n, indent);
    PQfreemem(bytes);
}

void output_record(const PGresult *rows, int row, int indent)
{
    for (int c = 0; c < PQnfields(rows); c++) {
        const char *name = PQfname(rows, c), *value = PQgetvalue(rows, row, c);
        if (PQgetisnull(rows, row, c))
            continue;
        printf("%*s%-*s ", indent, "", NAME_WIDTH, name);
        if (PQftype(rows, c) == BYTEA)
            put_bytea(value, indent + NAME_WIDTH + 1);
        else
            output_text(value);
        const char *help = help_for(name, value);
        if (help)
            printf(" (%s)", help);
        putchar('\n');
    }
}

void output_json(const PGresult *rows)
{
    struct buf out;
    buf_init(&out, OUTPUT_JSON_MAX);
    rows_json_array(&out, rows);
    puts(buf_text(&out));
    buf_free(&out);
}
