/* A reader of the log that lives and does not read stops nobody, and learns how much it has missed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "tests/unit/unit.h"

static char text[1 << 20];

/* Standard error leads to FD until `restore` is called with the result. */
static int redirect(int fd)
{
    int before = dup(STDERR_FILENO);
    EXPECT(before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    return before;
}

static void restore(int before)
{
    dup2(before, STDERR_FILENO);
    close(before);
}

/* Log until nothing fits any more and LINES lines longer; returns how long that took. */
static int64_t log_lines(int lines)
{
    int64_t started = clock_mono_us();
    for (int i = 0; i < lines; i++)
        LOG(LOG_INFO, "line", LOG_NUM("number", i));
    return clock_mono_us() - started;
}

/* What is to be read now, as a text. */
static size_t read_all(int fd)
{
    size_t size = 0;
    ssize_t n;
    EXPECT(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while ((n = read(fd, text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)n;
    text[size] = 0;
    return size;
}

static int count_lines(void)
{
    int count = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

static void expect_lost_lines(int reader, int writer)
{
    enum { LINES = 5000 };
    unsigned long lost = 0;
    int before = redirect(writer);
    int64_t took = log_lines(LINES);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    read_all(reader);
    int got = count_lines();
    LOG(LOG_INFO, "again");
    LOG(LOG_INFO, "once_more");
    read_all(reader);
    restore(before);
    close(reader);
    EXPECT(took < 60000000); /* also under valgrind beside others; it would be for ever */
    EXPECT(!(flags & O_NONBLOCK));
    EXPECT(got > 100 && got < LINES);
    const char *said = strstr(text, "event=again log_lines_lost=");
    EXPECT(said && sscanf(said, "event=again log_lines_lost=%lu", &lost) == 1);
    EXPECT_INT(lost, LINES - got);
    EXPECT(strstr(text, "event=once_more\n"));
}

static void a_pipe_that_nobody_reads_loses_lines_and_stops_nobody(void)
{
    int ends[2];
    EXPECT(pipe(ends) == 0);
    expect_lost_lines(ends[0], ends[1]);
}

static void a_socket_that_nobody_reads_loses_lines_and_stops_nobody(void)
{
    int ends[2];
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    expect_lost_lines(ends[0], ends[1]);
}

static void a_line_that_was_cut_ends_before_the_next_one(void)
{
    static char value[1000];
    int ends[2];
    memset(value, 'v', sizeof value - 1);
    EXPECT(pipe(ends) == 0);
    int reader = ends[0], before = redirect(ends[1]);
    for (int i = 0; i < 100; i++) /* longer than a pipe takes at once, so one of them is cut */
        LOG(LOG_INFO, "long", LOG_TEXT("a", value), LOG_TEXT("b", value), LOG_TEXT("c", value),
            LOG_TEXT("d", value), LOG_TEXT("e", value));
    read_all(reader);
    LOG(LOG_INFO, "again");
    read_all(reader);
    restore(before);
    close(reader);
    const char *said = strstr(text, "event=again log_lines_lost=");
    EXPECT(said);
    while (said > text && said[-1] != '\n')
        said--;
    EXPECT(said - text <= 1 && *said == '2'); /* the time */
}

/* ---- repetition ---- */

static int64_t now_us;

static int64_t fake_mono_us(void)
{
    return now_us;
}

static int64_t fake_wall_us(void)
{
    return INT64_C(1795312755291998);
}

static const struct clock_table fake_clock = {fake_mono_us, fake_wall_us};

struct limited {
    const struct clock_table *clock;
    int reader, before;
};

/* At most BURST lines in ten seconds. */
static struct limited limit(long burst)
{
    struct limited l = {.clock = clock_in_use};
    int ends[2];
    EXPECT(pipe(ends) == 0);
    l.reader = ends[0];
    l.before = redirect(ends[1]);
    clock_in_use = &fake_clock;
    now_us = 1000000;
    log_limit_forget();
    log_limit_set(burst, 10);
    return l;
}

static void end_limit(const struct limited *l)
{
    log_limit_set(0, 10);
    log_limit_forget();
    clock_in_use = l->clock;
    restore(l->before);
    close(l->reader);
}

static void log_many(int lines, const char *event)
{
    for (int i = 0; i < lines; i++)
        LOG(LOG_WARN, event, LOG_NUM("number", i));
}

static void a_storm_is_cut_and_the_next_line_says_how_many_were_left_out(void)
{
    struct limited l = limit(3);
    log_many(10, "storm");
    LOG(LOG_WARN, "other");
    LOG(LOG_ERROR, "storm"); /* of another level, it counts for itself */
    now_us += 10000000;
    log_many(1, "storm");
    log_many(1, "storm");
    read_all(l.reader);
    end_limit(&l);
    EXPECT_INT(count_lines(), 3 + 2 + 2);
    EXPECT(strstr(text, "event=storm suppressed=7 number=0\n") && !strstr(text, "log_limited"));
    EXPECT(strstr(strstr(text, "suppressed=7"), "event=storm number=0\n"));
}

static void what_was_left_out_is_said_when_things_go_quiet(void)
{
    struct limited l = limit(2);
    log_many(7, "storm");
    now_us += 9999999;
    log_tick();
    LOG(LOG_INFO, "other");
    read_all(l.reader);
    EXPECT_INT(count_lines(), 3);
    now_us += 1;
    log_tick();
    log_tick();
    read_all(l.reader);
    EXPECT_INT(count_lines(), 1);
    EXPECT(strstr(text, "level=warn") && strstr(text, "event=log_limited suppressed=5 of=storm\n"));
    end_limit(&l);
}

static void any_other_line_says_it_too_and_so_does_the_end(void)
{
    struct limited l = limit(1);
    log_many(3, "storm");
    now_us += 10000000;
    LOG(LOG_INFO, "other");
    log_many(1, "again");
    log_many(4, "again");
    log_end();
    read_all(l.reader);
    end_limit(&l);
    EXPECT(strstr(text, "event=log_limited suppressed=2 of=storm\n"));
    EXPECT(strstr(text, "event=log_limited suppressed=4 of=again\n"));
    EXPECT_INT(count_lines(), 5);
}

static void what_could_not_be_said_is_said_later(void)
{
    struct limited l = limit(1);
    log_many(6, "storm");
    now_us += 10000000;
    read_all(l.reader);
    size_t filled = 0;
    EXPECT(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK) == 0);
    while (write(STDERR_FILENO, "x", 1) == 1)
        filled++;
    log_tick();
    EXPECT(read_all(l.reader) == filled);
    log_tick();
    read_all(l.reader);
    end_limit(&l);
    EXPECT(strstr(text, "event=log_limited log_lines_lost=1 suppressed=5 of=storm\n"));
}

static void what_must_be_known_is_never_left_out(void)
{
    struct limited l = limit(1);
    for (int i = 0; i < 50; i++)
        LOG(LOG_INFO, "child_ended", LOG_NUM("number", i));
    log_threshold = LOG_DEBUG;
    for (int i = 0; i < 50; i++)
        LOG(LOG_DEBUG, "step", LOG_NUM("number", i));
    log_threshold = LOG_INFO;
    read_all(l.reader);
    end_limit(&l);
    EXPECT_INT(count_lines(), 100);
    EXPECT(!strstr(text, "suppressed"));
}

static void a_limit_of_0_is_none_and_forgets_nothing(void)
{
    struct limited l = limit(1);
    log_many(3, "storm");
    log_limit_set(0, 10);
    log_many(100, "storm");
    read_all(l.reader);
    end_limit(&l);
    EXPECT_INT(count_lines(), 101);
    EXPECT(strstr(text, "event=storm suppressed=2 number=0\n"));
}

static void a_child_says_nothing_of_what_its_parent_left_out(void)
{
    struct limited l = limit(1);
    log_setup("info", false, "parent");
    log_many(3, "storm");
    pid_t child = fork();
    if (child == 0)
        exit(0); /* with the parent's handlers */
    EXPECT(child > 0 && waitpid(child, NULL, 0) == child);
    child = fork();
    if (child == 0) {
        log_setup("info", false, "child");
        log_many(2, "storm");
        exit(0);
    }
    EXPECT(child > 0 && waitpid(child, NULL, 0) == child);
    log_end();
    read_all(l.reader);
    end_limit(&l);
    log_setup("info", false, "main");
    EXPECT_INT(count_lines(), 1 + 2 + 1);
    const char *childs = strstr(text, "process=child");
    EXPECT(childs && strstr(childs, "event=log_limited suppressed=1 of=storm\n"));
    EXPECT(strstr(text, "event=log_limited suppressed=2 of=storm\n"));
}

/* ---- levels ---- */

static void a_step_is_said_at_every_level_and_goes_no_further_than_there_are(void)
{
    struct limited l = limit(1);
    log_setup("error", false, "main");
    for (int i = 0; i < 4; i++)
        log_step(-1);
    EXPECT_INT(log_threshold, LOG_DEBUG);
    for (int i = 0; i < 4; i++)
        log_step(1);
    EXPECT_INT(log_threshold, LOG_ERROR);
    log_set_level(LOG_WARN);
    EXPECT_INT(log_threshold, LOG_WARN);
    log_set_level(-1);
    EXPECT_INT(log_threshold, LOG_ERROR);
    read_all(l.reader);
    end_limit(&l);
    log_setup("info", false, "main");
    EXPECT_INT(count_lines(), 8);
    EXPECT(strstr(text, "level=info process=main"));
    EXPECT(strstr(text, "event=log_level now=debug configured=error\n"));
}

/* ---- the last line ---- */

static void say_last_line(bool json)
{
    struct limited l = limit(0);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        log_setup("info", json, "worker-7");
        mem_failed("a \"word\" \\ or\n two");
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    read_all(l.reader);
    end_limit(&l);
    EXPECT_INT(WEXITSTATUS(status), EXIT_NO_RESOURCES);
    char *pid = strstr(text, json ? "\"pid\":" : "pid="), *end = pid + strcspn(pid, json ? "," : " ");
    EXPECT_INT(strtol(pid + (json ? 6 : 4), NULL, 10), child);
    memmove(pid, end + 1, strlen(end)); /* it differs from run to run */
}

static void a_process_without_memory_says_so_in_the_logs_own_form(void)
{
    say_last_line(false);
    EXPECT_TEXT(text, "2026-11-22T01:59:15.291Z level=fatal process=worker-7 event=out_of_memory "
                      "wanted=\"a 'word' ' or' two\"\n");
    say_last_line(true);
    EXPECT_TEXT(text, "{\"time\":\"2026-11-22T01:59:15.291Z\",\"level\":\"fatal\",\"process\":\"worker-7\","
                      "\"event\":\"out_of_memory\",\"wanted\":\"a 'word' ' or' two\"}\n");
}

UNIT_MAIN(UNIT_CASE(a_pipe_that_nobody_reads_loses_lines_and_stops_nobody),
          UNIT_CASE(a_socket_that_nobody_reads_loses_lines_and_stops_nobody),
          UNIT_CASE(a_line_that_was_cut_ends_before_the_next_one),
          UNIT_CASE(a_storm_is_cut_and_the_next_line_says_how_many_were_left_out),
          UNIT_CASE(what_was_left_out_is_said_when_things_go_quiet),
          UNIT_CASE(any_other_line_says_it_too_and_so_does_the_end),
          UNIT_CASE(what_could_not_be_said_is_said_later), UNIT_CASE(what_must_be_known_is_never_left_out),
          UNIT_CASE(a_limit_of_0_is_none_and_forgets_nothing),
          UNIT_CASE(a_child_says_nothing_of_what_its_parent_left_out),
          UNIT_CASE(a_step_is_said_at_every_level_and_goes_no_further_than_there_are),
          UNIT_CASE(a_process_without_memory_says_so_in_the_logs_own_form))
