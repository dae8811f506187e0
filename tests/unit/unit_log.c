/* A reader of the log that lives and does not read stops nobody, and learns how much it has missed. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
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

UNIT_MAIN(UNIT_CASE(a_pipe_that_nobody_reads_loses_lines_and_stops_nobody),
          UNIT_CASE(a_socket_that_nobody_reads_loses_lines_and_stops_nobody),
          UNIT_CASE(a_line_that_was_cut_ends_before_the_next_one))
