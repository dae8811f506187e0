#ifndef NOTIFY_CTL_CTL_TERMINAL_H
#define NOTIFY_CTL_CTL_TERMINAL_H

#include <stdbool.h>

/* The first byte of a line of a frame may say how it is shown. */
#define TERMINAL_TITLE "\1"
#define TERMINAL_BAD   "\2"
#define TERMINAL_WARN  "\3"

enum terminal_event {
    TERMINAL_TIME,   /* it is time */
    TERMINAL_REDRAW, /* the same frame has to be drawn again: another size, or back from the background */
    TERMINAL_LEAVE,  /* q, Ctrl-C, or a signal to end */
};

/*
 * Begin to show frames on standard output; false without DRAWS, and when that is no terminal that can be drawn on: then only
 * terminal_wait and terminal_end may be called.
 */
bool terminal_begin(bool draws);
/* Give the terminal back as it was. */
void terminal_end(void);
/* Draw FRAME, lines with \n behind each, over what is there; what does not fit is cut. Control characters are shown as '?'. */
void terminal_draw(const char *frame);
/* Wait until clock_mono_us() is UNTIL_US, or until something happens. */
enum terminal_event terminal_wait(long long until_us);

#endif
