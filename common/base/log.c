/*
 * log - one event, one line, on standard error
 *
 * Owns the threshold, the format and the process's name, nothing else. How often one happening may be written is log_limit.c's. A
 * line is built in one buffer and
 * written with one write(2), so lines of several processes on one pipe do not mix (up to PIPE_BUF, 4,096
 * bytes; longer ones may). A line that finds no room (log_sink.c) is lost, and the next one that does says how
 * many were. Secrets never get here: callers pass words and ids, not settings or bodies.
 */
#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/base/log_sink.h"

enum { LOG_LINE_MAX = 16384, LOG_VALUE_MAX = 1024, LOG_VALUE_SHORT = 64 };

enum log_level log_threshold = LOG_INFO;
static enum log_level configured = LOG_INFO;
static pid_t owner; /* whose lines are counted; a child inherits the parent's numbers, and its handlers */
static bool as_json;
static char process_name[32] = "main";
static const char *const level_names[] = {"debug", "info", "warn", "error"};

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

/* False: it is lost, with what it said of others. */
static bool write_line(enum log_level level, const char *event, const struct log_field *fields,
                       uint64_t left_out)
{
    struct log_field head[] = {
        {.key = "level", .text = level_names[level]},
        {.key = "process", .text = process_name},
        {.key = "pid", .number = getpid()},
        {.key = "event", .text = event},
        {.key = log_sink_lost() ? "log_lines_lost" : NULL, .number = (int64_t)log_sink_lost()},
        {.key = NULL}, /* room for one more; the first without a key is the end */
        {.key = NULL},
    };
    if (left_out)
        head[log_sink_lost() ? 5 : 4] = LOG_NUM("suppressed", left_out);
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
    bool there = log_sink_write(line.data, line.len); /* a full disk or a stuck reader must not stop us */
    buf_free(&line);
    return there;
}

static void say_left_out(bool all)
{
    struct log_left_out out;
    while (log_limit_take(all, clock_mono_us(), &out)) {
        const struct log_field fields[] = {LOG_TEXT("of", out.event), {.key = NULL}};
        if (!write_line((enum log_level)out.level, "log_limited", fields, out.lines)) {
            log_limit_put_back(&out);
            return;
        }
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    uint64_t left_out;
    if (level < log_threshold)
        return;
    bool is_written = log_limit_admit(event, (int)level, clock_mono_us(), &left_out);
    say_left_out(false);
    if (is_written && !write_line(level, event, fields, left_out) && left_out)
        log_limit_put_back(&(struct log_left_out){event, (int)level, left_out});
}

void log_tick(void)
{
    say_left_out(false);
}

void log_end(void)
{
    say_left_out(true);
}

static void say_rest(void)
{
    if (owner == getpid())
        log_end();
}

void log_setup(const char *level, bool json, const char *process)
{
    for (int i = 0; i <= LOG_ERROR; i++)
        if (strcmp(level, level_names[i]) == 0)
            log_threshold = configured = (enum log_level)i;
    as_json = json;
    snprintf(process_name, sizeof process_name, "%s", process);
    check_setup(json, process_name);
    if (!owner)
        atexit(say_rest);
    if (owner != getpid())
        log_limit_forget();
    owner = getpid();
}

void log_set_level(int level)
{
    log_threshold = level < 0 ? configured : (enum log_level)level;
}

enum log_level log_step(int step)
{
    int level = (int)log_threshold + step;
    log_threshold = (enum log_level)(level < LOG_DEBUG ? LOG_DEBUG : level > LOG_ERROR ? LOG_ERROR : level);
    const struct log_field fields[] = {LOG_TEXT("now", level_names[log_threshold]),
                                       LOG_TEXT("configured", level_names[configured]),
                                       {.key = NULL}};
    write_line(LOG_INFO, "log_level", fields, 0); /* at any level: somebody asked */
    return log_threshold;
}
