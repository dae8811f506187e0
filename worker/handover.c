/*
 * handover - what a supervisor tells the one that is executed in its place
 *
 * Pure: text to a struct and back. The text comes from another build, or from whoever has set the environment, so
 * nothing of it is believed before it is in range: every number has bounds, every list a maximum, and what is missing
 * is an error. What its numbers mean (whether a descriptor is one, a pid a child) the caller finds out.
 */
#include "worker/handover.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

enum { NUMBERS_MAX = 8, DESCRIPTOR_MAX = 1 << 20, WORKERS_MAX = 1 << 16 };

/* The words behind the key of a line that says COUNT numbers; false when they are others. */
static bool read_numbers(const char *at, int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *end;
        if (*at != '-' && !isdigit((unsigned char)*at))
            return false;
        errno = 0;
        numbers[i] = strtoll(at, &end, 10);
        if (errno || end == at || *end != (i + 1 < count ? ' ' : 0))
            return false;
        at = end + 1;
    }
    return true;
}

static bool is_between(int64_t n, int64_t least, int64_t most)
{
    return n >= least && n <= most;
}

static bool is_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool read_text(char *to, size_t size, const char *value)
{
    size_t length = strlen(value);
    if (length == 0 || length >= size || !is_line(value))
        return false;
    memcpy(to, value, length + 1);
    return true;
}

static bool take_supervisor(struct handover *h, const char *value)
{
    int64_t n[8];
    if (!read_numbers(value, n, 8) || !is_between(n[0], 1, INT_MAX) || !is_between(n[1], 0, DESCRIPTOR_MAX) ||
        !is_between(n[2], 0, UINT_MAX) || !is_between(n[3], 1, WORKERS_MAX) ||
        !is_between(n[4], 1, WORKERS_MAX) || !is_between(n[5], 1, INT64_C(1) << 50) ||
        !is_between(n[6], 1, INT64_C(1) << 50) || !is_between(n[7], 0, 1) || h->pid)
        return false;
    h->pid = (pid_t)n[0];
    h->memory = (int)n[1];
    h->generation = (unsigned)n[2];
    h->wanted = (long)n[3];
    h->configured = (long)n[4];
    h->watchdog_us = n[5];
    h->grace_us = n[6];
    h->again = n[7];
    return true;
}

static bool take_path(struct handover *h, const char *value)
{
    return *value == '/' && read_text(h->path, sizeof h->path, value);
}

static bool take_listen(struct handover *h, const char *value)
{
    const char *space = strchr(value, ' ');
    char number[16];
    int64_t fd;
    if (!space || space - value >= (ptrdiff_t)sizeof number)
        return false;
    memcpy(number, value, (size_t)(space - value));
    number[space - value] = 0;
    if (!read_numbers(number, &fd, 1) || !is_between(fd, 0, DESCRIPTOR_MAX))
        return false;
    h->listen = (int)fd;
    return read_text(h->listen_at, sizeof h->listen_at, space + 1);
}

static bool take_child(struct handover *h, const char *value)
{
    int64_t n[7];
    if (!read_numbers(value, n, 7) || !is_between(n[0], 1, INT_MAX) ||
        !is_between(n[1], 0, HANDOVER_CHILDREN) || !is_between(n[2], 1, 255) ||
        !is_between(n[3], 0, UINT_MAX) || n[4] < 0 || !is_between(n[5], 0, 1) || !is_between(n[6], 0, 1) ||
        h->child_count == HANDOVER_CHILDREN)
        return false;
    h->children = mem_realloc(h->children, (h->child_count + 1) * sizeof *h->children);
    h->children[h->child_count++] = (struct handover_child){
        .pid = (pid_t)n[0],
        .slot = (int)n[1],
        .role = (int)n[2],
        .generation = (unsigned)n[3],
        .started_us = n[4],
        .asked_to_end = n[5],
        .killed_by_watchdog = n[6],
    };
    return true;
}

static bool take_figure(struct handover *h, const char *value)
{
    char *end = NULL;
    if (!isdigit((unsigned char)*value) || h->figure_count == HANDOVER_FIGURES)
        return false;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno || *end != ' ')
        return false;
    h->figures = mem_realloc(h->figures, (h->figure_count + 1) * sizeof *h->figures);
    struct handover_figure *f = &h->figures[h->figure_count];
    f->value = number;
    if (!read_text(f->name, sizeof f->name, end + 1))
        return false;
    h->figure_count++;
    return true;
}

/* "json info", as the settings say it. */
static bool take_log(struct handover *h, const char *value)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *space = strchr(value, ' ');
    h->log_json = strncmp(value, "json ", 5) == 0;
    for (size_t i = 0; space && i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(space + 1, levels[i]) == 0)
            snprintf(h->log_level, sizeof h->log_level, "%s", levels[i]);
    return true; /* how another build says it changes nothing of what is to be looked after */
}

static bool is_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '.')
            return false;
    return length > 0 && length < HANDOVER_NAME;
}

static bool take_setting(struct handover *h, const char *value)
{
    const char *equals = strchr(value, '=');
    if (!equals || !is_name(value, (size_t)(equals - value)) || strlen(equals + 1) > HANDOVER_VALUE ||
        !is_line(equals + 1) || h->setting_count == HANDOVER_SETTINGS)
        return false;
    h->settings = mem_realloc(h->settings, (h->setting_count + 1) * sizeof *h->settings);
    struct handover_setting *s = &h->settings[h->setting_count++];
    memset(s, 0, sizeof *s);
    memcpy(s->name, value, (size_t)(equals - value));
    s->value = mem_strdup(equals + 1);
    return true;
}

static bool take_line(struct handover *h, const char *line)
{
    static const struct {
        const char *key;
        bool (*take)(struct handover *h, const char *value);
    } keys[] = {{"supervisor ", take_supervisor},
                {"path ", take_path},
                {"listen ", take_listen},
                {"child ", take_child},
                {"figure ", take_figure},
                {"setting ", take_setting},
                {"log ", take_log}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strncmp(line, keys[i].key, strlen(keys[i].key)) == 0)
            return keys[i].take(h, line + strlen(keys[i].key));
    return true; /* another build's */
}

/* Two children in one slot, or with one pid, are none that a supervisor has. */
static bool are_distinct(const struct handover *h)
{
    for (size_t i = 0; i < h->child_count; i++)
        for (size_t j = 0; j < i; j++)
            if (h->children[i].pid == h->children[j].pid || h->children[i].slot == h->children[j].slot)
                return false;
    return true;
}

static bool read_lines(struct handover *h, char *at, const char **why)
{
    *why = "it does not begin as this version's does";
    for (int number = 0; *at; number++) {
        char *newline = strchr(at, '\n');
        if (!newline) {
            *why = "it ends in the middle of a line";
            return false;
        }
        *newline = 0;
        if (number == 0 && strcmp(at, HANDOVER_BEGINS) != 0)
            return false;
        if (strcmp(at, "end") == 0) {
            *why = "something is missing in it, or there twice";
            return !newline[1] && h->pid && *h->path && are_distinct(h);
        }
        *why = "a line of it cannot be understood";
        if (number > 0 && !take_line(h, at))
            return false;
        at = newline + 1;
    }
    *why = "it has no end";
    return false;
}

bool handover_read(struct handover *h, const char *text, size_t size, const char **why)
{
    *h = (struct handover){.listen = -1, .memory = -1};
    *why = "it is too long, or no text";
    if (size > HANDOVER_SIZE || (size && memchr(text, 0, size)))
        return false;
    char *copy = mem_zalloc(size + 1);
    memcpy(copy, text, size);
    bool good = read_lines(h, copy, why);
    free(copy);
    return good;
}

void handover_write_head(struct buf *to, const struct handover *h)
{
    buf_add_text(to, HANDOVER_BEGINS "\n");
    buf_printf(to, "supervisor %d %d %u %ld %ld %" PRId64 " %" PRId64 " %d\n", (int)h->pid, h->memory,
               h->generation, h->wanted, h->configured, h->watchdog_us, h->grace_us, h->again);
    buf_printf(to, "path %s\n", h->path);
    if (h->listen >= 0)
        buf_printf(to, "listen %d %s\n", h->listen, h->listen_at);
    if (*h->log_level)
        buf_printf(to, "log %s %s\n", h->log_json ? "json" : "text", h->log_level);
    for (size_t i = 0; i < h->child_count; i++) {
        const struct handover_child *c = &h->children[i];
        buf_printf(to, "child %d %d %d %u %" PRId64 " %d %d\n", (int)c->pid, c->slot, c->role, c->generation,
                   c->started_us, c->asked_to_end, c->killed_by_watchdog);
    }
}

void handover_write_setting(struct buf *to, const char *name, const char *value)
{
    buf_printf(to, "setting %s=%.*s\n", name, HANDOVER_VALUE, value);
}

void handover_write_end(struct buf *to)
{
    buf_add_text(to, "end\n");
}

void handover_free(struct handover *h)
{
    for (size_t i = 0; i < h->setting_count; i++)
        free(h->settings[i].value);
    free(h->settings);
    free(h->figures);
    free(h->children);
    *h = (struct handover){.listen = -1, .memory = -1};
}
