/*
 * ctl_terminal - frames on a terminal, keys and signals
 *
 * Owns the terminal's settings and its alternate screen from terminal_begin to terminal_end, and the handlers of the signals that
 * matter meanwhile. Whatever ends the program by them gives the terminal back: a signal to end is noticed by terminal_wait, and
 * the second one, for which somebody did not want to wait (a server may keep us for seconds), ends it from the handler with
 * nothing but calls that are safe there. Stopping (Ctrl-Z) leaves the screen and comes back to it.
 *
 * Handlers write a byte into a pipe, so that no signal is lost between looking and waiting.
 */
#include "api/ctl/ctl_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/utf8.h"

/* The alternate screen without a cursor, and back (xterm's control sequences, which every terminal of today knows). */
static const char enter[] = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J";
static const char leave[] = "\x1b[0m\x1b[?25h\x1b[?1049l";

enum { COLUMNS_DEFAULT = 80, LINES_DEFAULT = 24 };

static struct {
    bool drawn;    /* the alternate screen is ours */
    bool has_keys; /* standard input is a terminal, and its settings are ours */
    bool colours;
    struct termios before;
    int signals[2]; /* read, write */
} terminal = {.signals = {-1, -1}};

static volatile sig_atomic_t ends; /* signals to end */
static volatile sig_atomic_t stops, resizes;

static void put(const char *bytes, size_t n)
{
    while (n) {
        ssize_t wrote = write(STDOUT_FILENO, bytes, n);
        if (wrote < 0 && errno != EINTR)
            return; /* nobody is there to see it */
        bytes += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
}

/* Safe in a handler. */
static void give_back(void)
{
    if (terminal.drawn)
        put(leave, sizeof leave - 1);
    if (terminal.has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

static void take(void)
{
    if (terminal.has_keys) {
        struct termios raw = terminal.before;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (terminal.drawn)
        put(enter, sizeof enter - 1);
}

static void note(int signal)
{
    int error = errno;
    char byte = 0;
    if (signal == SIGWINCH)
        resizes = 1;
    else if (signal == SIGTSTP)
        stops = 1;
    else if (ends++) {
        give_back();
        _exit(0);
    }
    if (write(terminal.signals[1], &byte, 1) < 0)
        errno = error; /* full: somebody will look anyway */
    errno = error;
}

static void handle(int signal, void (*handler)(int))
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(signal, &act, NULL);
}

static bool can_draw(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && kind && kind[0] && strcmp(kind, "dumb") != 0;
}

bool terminal_begin(bool draws)
{
    const char *no_color = getenv("NO_COLOR");
    if (pipe2(terminal.signals, O_NONBLOCK | O_CLOEXEC) != 0)
        return false;
    handle(SIGINT, note);
    handle(SIGTERM, note);
    handle(SIGHUP, note);
    if (!draws || !can_draw())
        return false;
    terminal.colours = !no_color || !no_color[0]; /* https://no-color.org */
    terminal.drawn = true;
    /* A job in the background may not change the terminal's settings; it has no keys to read either. */
    terminal.has_keys = isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
                        tcgetattr(STDIN_FILENO, &terminal.before) == 0;
    handle(SIGWINCH, note);
    handle(SIGTSTP, note);
    take();
    return true;
}

void terminal_end(void)
{
    give_back();
    terminal.drawn = terminal.has_keys = false;
}

/* Out of the way while we are stopped. */
static void stop(void)
{
    stops = 0;
    give_back();
    handle(SIGTSTP, SIG_DFL);
    raise(SIGTSTP);
    handle(SIGTSTP, note);
    take();
}

/* Whether one of the keys that were pressed means: leave. */
static bool read_keys(void)
{
    char keys[32];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        terminal.has_keys = false; /* it hung up */
    for (ssize_t i = 0; i < n; i++)
        if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 4) /* Ctrl-D */
            return true;
    return false;
}

enum terminal_event terminal_wait(long long until_us)
{
    for (;;) {
        char bytes[32];
        struct pollfd fds[2] = {{.fd = terminal.signals[0], .events = POLLIN},
                                {.fd = terminal.has_keys ? STDIN_FILENO : -1, .events = POLLIN}};
        long long left_us = until_us - clock_mono_us();
        int ready = poll(fds, 2, left_us > 0 ? (int)(left_us / 1000 + 1) : 0);
        if (ready > 0 && fds[0].revents && read(terminal.signals[0], bytes, sizeof bytes) < 0 &&
            errno != EAGAIN && errno != EINTR)
            return TERMINAL_LEAVE;
        if (ends || (ready > 0 && fds[1].revents && read_keys()))
            return TERMINAL_LEAVE;
        if (stops) {
            stop();
            return TERMINAL_REDRAW;
        }
        if (resizes) {
            resizes = 0;
            return TERMINAL_REDRAW;
        }
        if (left_us <= 0)
            return TERMINAL_TIME;
    }
}

static void measure(int *columns, int *lines)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *columns = known && size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
    *lines = known && size.ws_row ? size.ws_row : LINES_DEFAULT;
}

/* How a line is shown, by its first byte; NULL: as it is. */
static const char *style(char mark)
{
    static const char *const styles[] = {"\x1b[1m", "\x1b[31m", "\x1b[33m"};
    return terminal.colours && mark >= 1 && mark <= 3 ? styles[mark - 1] : NULL;
}

static void draw_line(FILE *out, const char *line, size_t n, int columns)
{
    const char *styled = n ? style(line[0]) : NULL;
    if (n && line[0] >= 1 && line[0] <= 3) {
        line++;
        n--;
    }
    if (styled)
        fputs(styled, out);
    for (int i = 0; n && i < columns; i++) {
        size_t length = utf8_length_at(line, n);
        bool control = !length || (unsigned char)line[0] < 0x20 || line[0] == 0x7f ||
                       ((unsigned char)line[0] == 0xc2 && (unsigned char)line[1] < 0xa0);
        if (control)
            fputc('?', out);
        else
            fwrite(line, 1, length, out);
        line += length ? length : 1;
        n -= length ? length : 1;
    }
    fputs(styled ? "\x1b[0m\x1b[K" : "\x1b[K", out);
}

void terminal_draw(const char *frame)
{
    char *bytes = NULL;
    size_t size = 0;
    int columns, lines;
    FILE *out = open_memstream(&bytes, &size);
    if (!out)
        return;
    measure(&columns, &lines);
    fputs("\x1b[H", out);
    for (int i = 0; *frame && i < lines; i++) {
        size_t n = strcspn(frame, "\n");
        bool last = i == lines - 1, more = frame[n] && frame[n + 1];
        if (i)
            fputs("\r\n", out);
        if (last && more)
            fputs("...\x1b[K", out);
        else
            draw_line(out, frame, n, columns);
        frame += n + (frame[n] == '\n');
    }
    fputs("\x1b[J", out); /* below */
    if (fclose(out) == 0)
        put(bytes, size); /* in one piece, so that nothing flickers */
    free(bytes);
}
