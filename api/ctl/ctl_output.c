/*
 * ctl_output - tables on standard output
 *
 * Widths are counted in code points, which is right for all but wide scripts. Pure but for printing.
 */
#include "api/ctl/ctl_output.h"

#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

enum { COLUMNS_MAX = 16, GAP = 2 };

/* Print TEXT, or only count its width when OUT is NULL. */
static int put_text(FILE *out, const char *text)
{
    int width = 0;
    size_t left = strlen(text);
    while (left) {
        size_t n = utf8_length_at(text, left);
        unsigned char first = (unsigned char)text[0];
        /* C0, DEL, and C1, which is 0xC2 0x80 to 0xC2 0x9F. */
        bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)text[1] < 0xa0);
        if (out && (!n || control))
            fputc('?', out);
        else if (out)
            fwrite(text, 1, n, out);
        width++;
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    return width;
}

static void put_cell(const char *text, int width, bool last)
{
    int used = put_text(stdout, text);
    if (!last)
        printf("%*s", width - used + GAP, "");
}

void output_table(const PGresult *rows)
{
    int columns = PQnfields(rows) < COLUMNS_MAX ? PQnfields(rows) : COLUMNS_MAX;
    int widths[COLUMNS_MAX];
    for (int c = 0; c < columns; c++) {
        widths[c] = put_text(NULL, PQfname(rows, c));
        for (int r = 0; r < PQntuples(rows); r++) {
            int width = put_text(NULL, PQgetvalue(rows, r, c));
            if (width > widths[c])
                widths[c] = width;
        }
    }
    for (int r = -1; r < PQntuples(rows); r++) {
        for (int c = 0; c < columns; c++)
            put_cell(r < 0 ? PQfname(rows, c) : PQgetvalue(rows, r, c), widths[c], c == columns - 1);
        putchar('\n');
    }
}
