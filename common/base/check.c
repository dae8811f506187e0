/*
 * check - assertions that stay in production builds, and allocation that does not fail
 *
 * A worker that has lost track of its own state, or has no memory left, must not go on acknowledging
 * messages. Both end the process at once: nothing unacknowledged is lost, because the broker delivers it
 * again, and the supervisor logs the death and starts a new worker. The first is a bug and aborts; the second
 * is the machine's trouble, and ends with a status of its own.
 *
 * Uses write(2) and no allocation, so it works when memory is gone. Any module may call it.
 */
#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/iso8601.h"

static bool as_json;
static char process_name[32] = "main";

void check_setup(bool json, const char *process)
{
    as_json = json;
    snprintf(process_name, sizeof process_name, "%s", process);
}

/* A line as log.c writes them. VALUE is cut, and stripped of what would have to be escaped. */
static void say(const char *event, const char *key, const char *value)
{
    char text[768], plain[256], time[ISO8601_TEXT];
    snprintf(plain, sizeof plain, "%s", value);
    for (char *p = plain; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            *p = '\'';
    iso8601_format(clock_wall_us(), time);
    int n = snprintf(
        text, sizeof text,
        as_json ? "{\"time\":\"%s\",\"level\":\"fatal\",\"process\":\"%s\",\"pid\":%d,\"event\":\"%s\","
                  "\"%s\":\"%s\"}\n"
                : "%s level=fatal process=%s pid=%d event=%s %s=\"%s\"\n",
        time, process_name, (int)getpid(), event, key, plain);
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1) < 0) {
        /* Nobody is left to tell. */
    }
}

_Noreturn void check_failed(const char *condition, const char *file, int line)
{
    char what[256];
    snprintf(what, sizeof what, "%s at %s:%d", condition, file, line);
    say("check_failed", "condition", what);
    abort();
}

_Noreturn void mem_failed(const char *wanted)
{
    say("out_of_memory", "wanted", wanted);
    _exit(EXIT_NO_RESOURCES);
}

static void *got(void *p, size_t size)
{
    char wanted[32];
    if (__builtin_expect(p != NULL, 1))
        return p;
    snprintf(wanted, sizeof wanted, "%zu bytes", size);
    mem_failed(wanted);
}

void *mem_alloc(size_t size)
{
    return got(malloc(size ? size : 1), size);
}

void *mem_zalloc(size_t size)
{
    return mem_calloc(1, size);
}

void *mem_calloc(size_t count, size_t size)
{
    return got(calloc(count ? count : 1, size ? size : 1), size);
}

void *mem_realloc(void *old, size_t size)
{
    return got(realloc(old, size ? size : 1), size);
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

void *mem_dup(const void *bytes, size_t size)
{
    void *p = mem_alloc(size);
    if (size)
        memcpy(p, bytes, size);
    return p;
}
