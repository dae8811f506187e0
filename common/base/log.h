#ifndef NOTIFY_BASE_LOG_H
#define NOTIFY_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One event, one line, on standard error: `time level=… event=… key=value …`, or a JSON object per line.
 * Values are escaped, so text from outside can never start a line of its own or forge a key.
 *
 *     LOG(LOG_INFO, "link_up", LOG_TEXT("host", host), LOG_NUM("port", port));
 */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;
    const char *text; /* NULL: the value is `number` */
    int64_t number;
};

#define LOG_TEXT(k, v) ((struct log_field){.key = (k), .text = log_or_dash(v)})
#define LOG_NUM(k, v)  ((struct log_field){.key = (k), .number = (int64_t)(v)})
#define LOG(level, event, ...)                                                                               \
    do {                                                                                                     \
        if ((level) >= log_threshold) {                                                                      \
            const struct log_field log_fields_[] = {__VA_ARGS__ __VA_OPT__(, ){.key = NULL}};                \
            log_write((level), (event), log_fields_);                                                        \
        }                                                                                                    \
    } while (0)

extern enum log_level log_threshold;
/* For what is only worked out to be logged. */
#define log_is_on(level) ((level) >= log_threshold)

/* LEVEL is one of debug, info, warn, error; JSON selects the format. PROCESS names the writer, e.g. "worker
 * 2". */
void log_setup(const char *level, bool json, const char *process);
/* Write LEVEL and above from now on; negative: as log_setup said. */
void log_set_level(int level);
/* STEP levels less talkative (negative: more), as far as there are any. A line says so, whatever the level. Returns the new one. */
enum log_level log_step(int step);
/* To be called about once a second: says what the limit has left out (log_limit.h), when no other line does. */
void log_tick(void);
/* The same at once, for all. Done at exit; to be called before _exit. */
void log_end(void);
/* EVENT is static. FIELDS ends with a NULL key. Each value is cut at 1,024 bytes. A full disk or a reader that does
 * not read loses the line, after a tenth of a second at most. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);
const char *log_or_dash(const char *text);

#endif
