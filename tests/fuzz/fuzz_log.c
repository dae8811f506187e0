/*
 * Text from outside in a line of the log: it is one line, with the fields that were given and no others, and each value
 * can be read back. In place of log_sink.c the line is kept here.
 *
 * Then the rest of the input as a course of lines and times under a limit: what is left out is said, once, and no interval has
 * more lines than it may.
 */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/log_sink.h"
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_check.h"

enum { VALUES = 3, VALUE_MOST = 1024 /* log.c */, VALUE_SHORT = 64, LINE_MOST = 16384, HEAD = 4 };

static const char *const keys[] = {"level", "process", "pid", "event", "a", "b", "number", "c"};

static char line[LINE_MOST + 8];
static size_t line_size;

enum { WORDS = 3, LEVELS = 3 /* info to error */, BURST = 2, INTERVAL_S = 10 };

static const char *const words[WORDS] = {"storm", "wind", "rain"};
/* What became of the lines of a course. */
static struct {
    uint64_t logged, written, lost, said; /* lost: with the sink; said: to have been left out */
    int64_t since_us;                     /* the interval of the limit, and its lines */
    int in_interval;
} course[WORDS][LEVELS];
static int64_t now_us;
static bool refuses, limited;

static int64_t fake_us(void)
{
    return now_us;
}

static int one_of(const char *at, const char *key, const char *const *names, int count)
{
    char want[40];
    for (int i = 0; i < count; i++) {
        snprintf(want, sizeof want, "%s=%s", key, names[i]);
        const char *found = strstr(at, want);
        if (found && strchr(" \n", found[strlen(want)]))
            return i;
    }
    return -1;
}

static void note_own_line(int word, int level)
{
    if (!course[word][level].in_interval ||
        now_us - course[word][level].since_us >= INTERVAL_S * INT64_C(1000000)) {
        course[word][level].since_us = now_us;
        course[word][level].in_interval = 0;
    }
    check(++course[word][level].in_interval <= BURST);
    if (refuses)
        course[word][level].lost++;
    else
        course[word][level].written++;
}

/* A line of a course: of which word, and how many it says were left out. */
static void note_line(void)
{
    static const char *const levels[LEVELS] = {"info", "warn", "error"};
    const char *count = strstr(line, " suppressed=");
    int level = one_of(line, "level", levels, LEVELS), word = one_of(line, "event", words, WORDS);
    check(level >= 0);
    if (word >= 0) {
        note_own_line(word, level);
    } else {
        check(strstr(line, "event=log_limited ") && count);
        word = one_of(line, "of", words, WORDS);
    }
    check(word >= 0);
    if (count && !refuses)
        course[word][level].said += strtoull(count + strlen(" suppressed="), NULL, 10);
}

bool log_sink_write(const char *bytes, size_t size)
{
    check(size < sizeof line);
    memcpy(line, bytes, size);
    line[size] = 0;
    line_size = size;
    if (limited)
        note_line();
    return !refuses;
}

unsigned long log_sink_lost(void)
{
    return 0;
}

static bool is_value(struct arena *a, struct json_object *value, const char *written, size_t most)
{
    const char *copy = utf8_storable_copy(a, written, strnlen(written, most), 4 * VALUE_MOST);
    return strcmp(json_object_get_string(value), copy) == 0;
}

/* VALUE as it was written: its first bytes, and U+FFFD for each that is none of UTF-8. In a line that is full, fewer. */
static void check_value(struct arena *a, struct json_object *value, const char *written)
{
    bool is_full = line_size > LINE_MOST - 6 * VALUE_MOST;
    check(json_is_text(value));
    check(is_value(a, value, written, VALUE_MOST) || (is_full && is_value(a, value, written, VALUE_SHORT)));
}

static void check_json(struct arena *a, const char *const values[VALUES])
{
    const char *why;
    size_t i = 0;
    struct json_object *root = json_parse(line, line_size - 1, &why);
    check(root && json_check(line, line_size - 1, false));
    json_object_object_foreach(root, key, member)
    {
        (void)member;
        check(strcmp(key, i == 0 ? "time" : keys[i - 1]) == 0);
        i++;
    }
    check(i == 1 + sizeof keys / sizeof keys[0]);
    check_value(a, json_get(root, "a"), values[0]);
    check_value(a, json_get(root, "b"), values[1]);
    check_value(a, json_get(root, "c"), values[2]);
    check(json_object_get_int64(json_get(root, "number")) == 7);
    json_object_put(root);
}

/* The end of the value at AT: a blank, unless it is quoted. */
static const char *end_of(const char *at)
{
    if (*at != '"')
        return at + strcspn(at, " \n");
    for (at++; *at != '"'; at++) {
        check(*at);
        at += *at == '\\';
    }
    return at + 1;
}

/* As `key=value` is read by who does not know what stands in it. */
static void check_words(struct arena *a, const char *const values[VALUES])
{
    const char *at = strchr(line, ' ');
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t n = strlen(keys[i]);
        check(at && *at == ' ' && strncmp(at + 1, keys[i], n) == 0 && at[1 + n] == '=');
        const char *start = at + n + 2, *why;
        at = end_of(start);
        const char *want = i < HEAD || i == 6 ? NULL : values[i == 7 ? 2 : i - HEAD];
        if (want && *start == '"') {
            struct json_object *value = json_parse(start, (size_t)(at - start), &why);
            check_value(a, value, want);
            json_object_put(value);
        } else if (want) {
            check(strlen(want) == (size_t)(at - start) && memcmp(want, start, strlen(want)) == 0);
        }
    }
    check(strcmp(at, "\n") == 0);
}

/* Bytes of the input: which line, after how many seconds, and whether the sink takes it. */
static void check_course(struct fuzz_input *in)
{
    static const struct clock_table fake = {fake_us, fake_us};
    const struct log_field no_fields[] = {{.key = NULL}};
    const struct clock_table *before = clock_in_use;
    clock_in_use = &fake;
    memset(course, 0, sizeof course);
    log_limit_forget();
    log_limit_set(BURST, INTERVAL_S);
    limited = true;
    while (in->size) {
        uint8_t what = fuzz_byte(in);
        int word = what % WORDS, level = what / WORDS % LEVELS;
        now_us += (int64_t)(what >> 5) * 1000000;
        refuses = what % 7 == 6;
        course[word][level].logged++;
        log_write((enum log_level)(LOG_INFO + level), words[word], no_fields);
    }
    refuses = false;
    log_end();
    for (int w = 0; w < WORDS; w++)
        for (int l = 0; l < LEVELS; l++)
            check(course[w][l].logged == course[w][l].written + course[w][l].lost + course[w][l].said);
    limited = false;
    log_limit_set(0, INTERVAL_S);
    log_limit_forget();
    clock_in_use = before;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const char *values[VALUES];
    struct arena a;
    arena_init(&a, 256);
    bool json = fuzz_byte(&in) & 1;
    for (int i = 0; i < VALUES; i++)
        values[i] = fuzz_text(&in, &a, NULL);
    log_setup("info", json, "worker 1");
    log_limit_set(0, INTERVAL_S);
    LOG(LOG_INFO, "fuzz", LOG_TEXT("a", values[0]), LOG_TEXT("b", values[1]), LOG_NUM("number", 7),
        LOG_TEXT("c", values[2]));
    check(line_size > 0 && memchr(line, '\n', line_size) == line + line_size - 1);
    check(!memchr(line, 0, line_size) && !memchr(line, '\r', line_size) && !memchr(line, 27, line_size));
    if (json)
        check_json(&a, values);
    else
        check_words(&a, values);
    log_setup("info", false, "worker 1");
    check_course(&in);
    arena_free(&a);
    return 0;
}
