/*
 * ctl_watch - notifyctl stats --watch: what moves and what fails, again and again
 *
 * A turn is a look at both servers (ctl_watch_look.c) and one way to show it (ctl_watch_show.c): drawn over the one before on a
 * terminal, else a line, or an object with --json, written out at once for whoever reads it. A server that is away is said in its
 * place and asked again at the next turn; nothing but q and signals ends the watch, and that is exit 0.
 *
 * Turns begin at fixed times; one that takes longer than its time is followed at once by the next, and none is made up for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/ctl/ctl_output.h"
#include "api/ctl/ctl_terminal.h"
#include "api/ctl/ctl_watch.h"
#include "common/base/check.h"
#include "common/base/clock.h"

enum {
    INTERVAL_DEFAULT = 2,
    INTERVAL_MAX = 86400,
};

/* A whole frame of LOOK; the caller frees it. */
static char *make_frame(const struct watch_look *look, double interval)
{
    char *frame = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&frame, &size);
    check(out != NULL);
    watch_show_frame(out, look, interval);
    check(fclose(out) == 0);
    return frame;
}

/* False: nobody reads it any more. */
static bool write_turn(const struct watch_look *look, double interval, bool json)
{
    if (json) {
        struct buf line;
        buf_init(&line, OUTPUT_JSON_MAX);
        watch_show_json(&line, look, interval);
        puts(buf_text(&line));
        buf_free(&line);
    } else {
        watch_show_line(stdout, look);
    }
    return fflush(stdout) == 0;
}

/* Wait for the next turn; a frame is drawn again when the terminal changes. False: the watch is over. */
static bool wait_for(int64_t next_us, const char *frame)
{
    for (;;) {
        switch (terminal_wait(next_us)) {
        case TERMINAL_TIME:
            return true;
        case TERMINAL_REDRAW:
            if (frame)
                terminal_draw(frame);
            break;
        case TERMINAL_LEAVE:
            return false;
        }
    }
}

static void run(struct watch *w, double interval, bool json, bool draws)
{
    int64_t next_us = clock_mono_us();
    bool goes_on;
    do {
        struct watch_look look;
        char *frame = NULL;
        watch_look(w, &look);
        goes_on = draws || write_turn(&look, interval, json);
        if (draws) {
            frame = make_frame(&look, interval);
            terminal_draw(frame);
        }
        watch_look_free(&look);
        next_us += clock_us(interval);
        if (next_us < clock_mono_us())
            next_us = clock_mono_us();
        goes_on = goes_on && wait_for(next_us, frame);
        free(frame);
    } while (goes_on);
}

enum ctl_exit ctl_stats_watch(const struct ctl *ctl)
{
    bool json = ctl_value(ctl, "--json") != NULL;
    struct watch watch;
    long interval;
    if (!ctl_value(ctl, "--watch")[0])
        interval = INTERVAL_DEFAULT;
    else if (!ctl_number(ctl, "--watch", 1, INTERVAL_MAX, INTERVAL_DEFAULT, &interval))
        return CTL_WRONG_USE;
    /* JSON is for programs, wherever it goes. */
    bool draws = terminal_begin(!json);
    watch_begin(&watch, ctl->conf);
    run(&watch, (double)interval, json, draws);
    terminal_end();
    watch_end(&watch);
    return CTL_DONE;
}
