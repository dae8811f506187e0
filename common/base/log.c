/*
 * log - one event, one line, on standard error
 *
 * Owns the threshold, the format and the process's name, nothing else. A line is built in one buffer and
 * written with one write(2), so lines of several processes on one pipe do not mix (up to PIPE_BUF, 4,096
 * bytes; longer ones may). A line that finds no room (log_sink.c) is lost, and the next one that does says how
 * many were. Secrets never get here: callers pass words and ids, not settings or bodies.
 */
#include "common/base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log_sink.h"

enum { LOG_LINE_MAX = 16384, LOG_VALUE_MAX = 1024, LOG_VALUE_SHORT = 64 };

enum log_level log_threshold = LOG_INFO;
static bool as_json;
static char process_name[32] = "main";
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(const char *level, bool json, const char *process)
{
    for (int i = 0; i <= LOG_ERROR; i++)
        if (strcmp(level, level_names[i]) == 0)
            log_threshold = (enum log_level)i;
    as_json = json;
    snprintf(process_name, sizeof process_name, "%s", process);
}

const char *log_or_dash(const char *text)
{
    return text ? text : "-";
}

static void add_time(struct buf *b)
{
    int64_t now = clock_wall_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char text[64];
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%03dZ", (int)(now / 1000 % 1000));
    buf_add_text(b, text);
}

static bool is_plain(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f)
            return false; /* bytes above 0x7f are negative chars: quoted and checked by buf_json_bytes */
    return true;
}

static void add_value(struct buf *b, const struct log_field *f, size_t most)
{
    if (!f->text) {
        buf_add_int(b, f->number);
        return;
    }
    if (!as_json && is_plain(f->text) && strlen(f->text) <= most)
        buf_add_text(b, f->text);
    else
        buf_json_bytes(b, f->text, strnlen(f->text, most));
}

/* As a whole or not at all. */
static bool add_field(struct buf *b, const struct log_field *f, size_t most)
{
    size_t before = b->len;
    if (as_json) {
        buf_json_key(b, f->key);
    } else {
        buf_add_char(b, ' ');
        buf_add_text(b, f->key);
        buf_add_char(b, '=');
    }
    add_value(b, f, most);
    if (!b->overflow)
        return true;
    b->overflow = false;
    b->len = before;
    return false;
}

/* Where values that are long when they are escaped leave no room, those behind them are cut short. */
static void add_fields(struct buf *b, const struct log_field *f)
{
    for (; f->key; f++)
        if (!add_field(b, f, LOG_VALUE_MAX))
            add_field(b, f, LOG_VALUE_SHORT);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    if (level < log_threshold)
        return;
    struct log_field head[] = {
        {.key = "level", .text = level_names[level]},
        {.key = "process", .text = process_name},
        {.key = "pid", .number = getpid()},
        {.key = "event", .text = event},
        {.key = log_sink_lost() ? "log_lines_lost" : NULL, .number = (int64_t)log_sink_lost()},
        {.key = NULL},
    };
    struct buf line;
    buf_init(&line, LOG_LINE_MAX);
    if (as_json)
        buf_add_text(&line, "{\"time\":\"");
    add_time(&line);
    if (as_json)
        buf_add_char(&line, '"');
    add_fields(&line, head);
    add_fields(&line, fields);
    line.max += 2; /* room for the end, also of a line that is full */
    buf_add_text(&line, as_json ? "}\n" : "\n");
    log_sink_write(line.data, line.len); /* a full disk or a stuck reader must not stop deliveries */
    buf_free(&line);
}
