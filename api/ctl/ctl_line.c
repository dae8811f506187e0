/*
 * ctl_line - notifyctl's command line, taken apart
 *
 * One pass over the words: a command of one word or two, its options, and those of ctl_globals, which may stand
 * anywhere. Behind a command may stand as many words as it says; behind "--" everything is such a word.
 * "--option VALUE" and "--option=VALUE" are the same; the last of two wins. What is not known is refused with
 * the nearest known word, if one is near. getopt_long is not used because it cannot do that, takes half a name
 * for the whole one, and does not know that each command has options of its own.
 */
#include "api/ctl/ctl_line.h"

#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "common/base/hint.h"

const struct ctl_option ctl_globals[CTL_GLOBAL_COUNT] = {
    [CTL_CONFIG] = {"--config", "FILE", "configuration file (" CTL_DEFAULT_FILE ")", .letter = 'c'},
    [CTL_LIST] = {"--list", "[NAME]", "the words of the product: events, states, reasons ..."},
    [CTL_HELP] = {"--help", NULL, "this text; behind a command, that command's", .letter = 'h'},
    [CTL_VERSION] = {"--version", NULL, "the version", .letter = 'V'},
};

struct line {
    struct ctl *ctl;
    const char **globals;
    char **next; /* the word that comes next; the last is NULL */
};

/* The known word nearest to a wrong one. */
struct guess {
    const char *wrong;
    const char *best; /* NULL: none is near */
    size_t distance;
};

static const char *without_dashes(const char *name)
{
    return name + strspn(name, "-");
}

/* A name of two words is known by its first. */
static void guess(struct guess *g, const char *known)
{
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(known, " "), known);
    size_t distance = hint_distance(without_dashes(g->wrong), without_dashes(first));
    if (distance > hint_limit(without_dashes(g->wrong), without_dashes(first)))
        return;
    if (g->best && distance >= g->distance)
        return;
    g->best = known;
    g->distance = distance;
}

bool ctl_command_is_of(const struct ctl_command *command, const char *group)
{
    size_t n = strlen(group);
    return strncmp(command->name, group, n) == 0 && command->name[n] == ' ';
}

static bool is_group(const char *name)
{
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        if (ctl_command_is_of(c, name))
            return true;
    return false;
}

static bool refuse_command(const char *name)
{
    struct guess g = {.wrong = name};
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        guess(&g, c->name);
    fprintf(stderr, "notifyctl: no command '%s'%s%s; see notifyctl --help\n", name,
            g.best ? "; did you mean " : "", g.best ? g.best : "");
    return false;
}

/* SECOND: the word that is none of the group's; NULL: none was given. */
static bool refuse_in_group(const char *group, const char *second)
{
    fprintf(stderr, "notifyctl: %s needs one of:", group);
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        if (ctl_command_is_of(c, group))
            fprintf(stderr, " %s", c->name + strlen(group) + 1);
    if (second)
        fprintf(stderr, ", not '%s'", second);
    fprintf(stderr, "; see notifyctl %s --help\n", group);
    return false;
}

/* The number of words in "A B [C]", or of those that must be given. */
static size_t count_words(const char *words, bool needed)
{
    size_t count = 0;
    for (const char *at = words; at && *at && !(needed && *at == '['); at += *at == ' ') {
        count++;
        at += strcspn(at, " ");
    }
    return count;
}

static bool take_word(const struct line *line, const char *word)
{
    struct ctl *ctl = line->ctl;
    size_t most = count_words(ctl->command->words, false);
    for (size_t i = 0; i < most && i < CTL_WORDS_MAX; i++)
        if (!ctl->words[i]) {
            ctl->words[i] = word;
            return true;
        }
    fprintf(stderr, "notifyctl: %s takes no further words ('%s'); see notifyctl --help\n", ctl->command->name,
            word);
    return false;
}

/* GROUP, which may be NULL, and NAME are the command's name. */
static bool is_named(const struct ctl_command *c, const char *group, const char *name)
{
    if (!group)
        return strcmp(c->name, name) == 0;
    return ctl_command_is_of(c, group) && strcmp(c->name + strlen(group) + 1, name) == 0;
}

static bool take_command(struct line *line, const char *name)
{
    struct ctl *ctl = line->ctl;
    if (ctl->command)
        return take_word(line, name);
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        if (is_named(c, ctl->group, name)) {
            ctl->command = c;
            ctl->group = NULL;
            return true;
        }
    if (ctl->group)
        return refuse_in_group(ctl->group, name);
    if (!is_group(name))
        return refuse_command(name);
    ctl->group = name;
    return true;
}

int ctl_find_option(const struct ctl_command *command, const char *name)
{
    for (int i = 0; command && command->options[i].name; i++)
        if (strcmp(command->options[i].name, name) == 0)
            return i;
    return -1;
}

static bool refuse_option(const struct ctl_command *command, const char *name)
{
    struct guess g = {.wrong = name};
    for (const struct ctl_command *c = ctl_commands; !command && c->name; c++)
        if (ctl_find_option(c, name) >= 0) {
            fprintf(stderr,
                    "notifyctl: %s belongs behind its command: notifyctl %s %s; see notifyctl --help\n", name,
                    c->name, name);
            return false;
        }
    for (int i = 0; i < CTL_GLOBAL_COUNT; i++)
        guess(&g, ctl_globals[i].name);
    for (int i = 0; command && command->options[i].name; i++)
        guess(&g, command->options[i].name);
    fprintf(stderr, "notifyctl: no option '%s'%s%s%s%s; see notifyctl --help\n", name, command ? " of " : "",
            command ? command->name : "", g.best ? "; did you mean " : "", g.best ? g.best : "");
    return false;
}

/* Store the value of OPTION: VALUE, which came with it, or the next word. */
static bool take_value(struct line *line, const struct ctl_option *option, const char *value,
                       const char **out)
{
    bool optional = option->value && option->value[0] == '[';
    if (!option->value && value) {
        fprintf(stderr, "notifyctl: %s takes no value, not '%s'\n", option->name, value);
        return false;
    }
    if (option->value && !value && *line->next && !(optional && **line->next == '-'))
        value = *line->next++;
    if (option->value && !value && !optional) {
        fprintf(stderr, "notifyctl: %s needs a value: %s %s\n", option->name, option->name, option->value);
        return false;
    }
    *out = value ? value : "";
    return true;
}

/* "-c FILE", "-cFILE", "-h". */
static bool take_letter(struct line *line, const char *word)
{
    for (int i = 0; i < CTL_GLOBAL_COUNT; i++) {
        const struct ctl_option *option = &ctl_globals[i];
        if (word[1] == option->letter && (option->value || !word[2]))
            return take_value(line, option, word[2] ? word + 2 : NULL, &line->globals[i]);
    }
    return refuse_option(line->ctl->command, word);
}

static bool take_option(struct line *line, const char *word)
{
    char name[64];
    size_t n = strcspn(word, "=");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), word);
    const char *value = word[n] ? word + n + 1 : NULL;
    for (int i = 0; i < CTL_GLOBAL_COUNT; i++)
        if (strcmp(ctl_globals[i].name, name) == 0)
            return take_value(line, &ctl_globals[i], value, &line->globals[i]);
    int option = ctl_find_option(line->ctl->command, name);
    if (option < 0)
        return refuse_option(line->ctl->command, name);
    return take_value(line, &line->ctl->command->options[option], value, &line->ctl->values[option]);
}

static bool is_complete(const struct ctl *ctl)
{
    if (ctl->group)
        return refuse_in_group(ctl->group, NULL);
    if (!ctl->command) {
        fputs("notifyctl: no command given; see notifyctl --help\n", stderr);
        return false;
    }
    size_t needed = count_words(ctl->command->words, true);
    if (!needed || ctl->words[needed - 1])
        return true;
    fprintf(stderr, "notifyctl: %s needs more words: notifyctl %s %s\n", ctl->command->name,
            ctl->command->name, ctl->command->words);
    return false;
}

bool ctl_line_parse(struct ctl *ctl, const char *globals[CTL_GLOBAL_COUNT], char **argv)
{
    struct line line = {.ctl = ctl, .globals = globals, .next = argv + 1};
    bool good = true, only_words = false;
    while (good && *line.next) {
        const char *word = *line.next++;
        if (only_words || word[0] != '-' || !word[1])
            good = take_command(&line, word);
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else if (word[1] == '-')
            good = take_option(&line, word);
        else
            good = take_letter(&line, word);
    }
    if (!good || globals[CTL_HELP] || globals[CTL_VERSION] || globals[CTL_LIST])
        return good;
    return is_complete(ctl);
}
