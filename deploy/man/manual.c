/*
 * manual - fills a page of the manual with what the programs' tables hold
 *
 *     manual PAGE.in >PAGE
 *
 * Run by the build. A line "@NAME@" of the page is replaced by what stands for it below; "@VERSION@" within a line by the version.
 * Everything else is copied. So commands, options, settings and exit codes are in the manual because they are in the tables.
 * The output is mdoc(7). Exit: 0, or 1 with the reason.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "api/ctl/ctl_line.h"
#include "api/ctl/ctl_lists.h"
#include "common/base/conf.h"

/* The end of a sentence, and the beginning of the next one's line. */
static void put_break(const char **at)
{
    printf("%c\n", **at);
    ++*at; /* the space */
    if ((*at)[1] && strchr(".'", (*at)[1]))
        fputs("\\&", stdout);
}

/* TEXT as it is: what mdoc would read as its own is escaped, and hyphens can be copied to a command line. Each sentence begins a line,
 * as mdoc wants it. */
static void put_text(const char *text)
{
    for (; *text; text++)
        if (strchr(".?!", *text) && text[1] == ' ')
            put_break(&text);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
}

/* A paragraph of its own line, with a capital and a full stop as sentences have. */
static void put_sentence(const char *text)
{
    size_t n = strlen(text);
    char first[2] = {text[0], '\0'};
    bool ends = n && strchr(".?!", text[n - 1]);
    if (first[0] >= 'a' && first[0] <= 'z')
        first[0] = (char)(first[0] - 'a' + 'A');
    fputs(strchr(".'", first[0]) ? "\\&" : "", stdout);
    put_text(first);
    put_text(n ? text + 1 : "");
    puts(ends ? "" : ".");
}

/* "EVENT [INTEGRATION]" as arguments, on a line of macros. */
static void put_arguments(const char *words)
{
    for (const char *at = words; at && *at;) {
        size_t n = strcspn(at, " []");
        if (*at == '[' || *at == ']')
            fputs(*at == '[' ? " Oo" : " Oc", stdout);
        else if (n)
            printf(" Ar %.*s", (int)n, at);
        at += n ? n : 1;
    }
}

static void put_options(const struct ctl_option *options, size_t count)
{
    if (!options[0].name)
        return;
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < count && options[i].name; i++) {
        const struct ctl_option *o = &options[i];
        fputs(".It", stdout);
        if (o->letter) {
            printf(" Fl %c", o->letter);
            put_arguments(o->value);
            fputs(" ,", stdout);
        }
        fputs(" Fl ", stdout);
        put_text(o->name + 1);
        put_arguments(o->value);
        putchar('\n');
        put_sentence(o->help);
    }
    puts(".El");
}

static void put_commands(void)
{
    puts(".Bl -tag -width Ds");
    for (const struct ctl_command *c = ctl_commands; c->name; c++) {
        fputs(".It Ic ", stdout);
        put_text(c->name);
        put_arguments(c->words);
        putchar('\n');
        put_sentence(c->help);
        put_options(c->options, CTL_OPTIONS_MAX);
    }
    puts(".El");
}

static void put_globals(void)
{
    put_options(ctl_globals, CTL_GLOBAL_COUNT);
}

static void put_exits(void)
{
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < CTL_EXIT_COUNT; i++) {
        printf(".It %d\n", (int)ctl_exits[i].code);
        put_sentence(ctl_exits[i].help);
    }
    puts(".El");
}

static void put_lists(void)
{
    const struct word_list *list;
    puts(".Bl -column -compact");
    for (size_t i = 0; (list = ctl_list_at(i)); i++) {
        fputs(".It Cm ", stdout);
        put_text(list->name);
        putchar('\n');
    }
    puts(".El");
}

static void put_setting(const struct conf_setting *setting)
{
    fputs(".It Ic ", stdout);
    put_text(setting->path);
    printf("\n%s%s", setting->type, setting->range[0] ? ", " : "");
    put_text(setting->range);
    fputs(setting->value[0] ? ", default " : ", no default", stdout);
    put_text(setting->value);
    puts(".\n.br");
    put_sentence(setting->help);
}

static void put_settings(void)
{
    struct conf_setting setting;
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; conf_setting_at(i, &setting); i++)
        put_setting(&setting);
    puts(".El");
}

static const struct {
    const char *name;
    void (*put)(void);
} parts[] = {{"@COMMANDS@\n", put_commands},
             {"@GLOBALS@\n", put_globals},
             {"@EXITS@\n", put_exits},
             {"@LISTS@\n", put_lists},
             {"@SETTINGS@\n", put_settings}};

static void put_line(const char *line)
{
    static const char version[] = "@VERSION@";
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(line, parts[i].name) == 0) {
            parts[i].put();
            return;
        }
    const char *at = strstr(line, version);
    if (at)
        printf("%.*s%s%s", (int)(at - line), line, NOTIFY_VERSION, at + strlen(version));
    else
        fputs(line, stdout);
}

int main(int argc, char **argv)
{
    char line[1024];
    FILE *page = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!page) {
        fprintf(stderr, "manual: %s\n", argc == 2 ? strerror(errno) : "name one page");
        return 1;
    }
    while (fgets(line, sizeof line, page))
        put_line(line);
    bool good = !ferror(page) && fflush(stdout) == 0;
    fclose(page);
    return good ? 0 : 1;
}
