/*
 * ctl_output - tables on standard output
 *
 * Widths are counted in code points, which is right for all but wide scripts. Pure but for printing.
 */
#include "api/ctl/ctl_output.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/utf8.h"

enum {
    COLUMNS_MAX = 16,
    GAP = 2,
    CUT_WIDTH = 60,
    CUT_WIDTH_MIN = 20, /* so that there is something to read on a narrow terminal, which then wraps */
};

/* Print TEXT, MOST code points of it, or only count its width when OUT is NULL. */
static int put_text(FILE *out, const char *text, int most)
{
    int width = 0;
    size_t left = strlen(text);
    while (left && width < most) {
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
    bool cut = put_text(NULL, text, INT_MAX) > width;
    int used = put_text(stdout, text, cut ? width - 1 : width);
    if (cut)
        fputs("\u2026", stdout);
    else if (!last)
        printf("%*s", width - used + GAP, "");
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
    if (!PQntuples(rows)) {
        puts("(none)");
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
            put_cell(r < 0 ? PQfname(rows, c) : PQgetvalue(rows, r, c), widths[c], c == columns - 1);
        putchar('\n');
    }
}
