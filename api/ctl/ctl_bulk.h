#ifndef NOTIFY_CTL_CTL_BULK_H
#define NOTIFY_CTL_CTL_BULK_H

#include <stdbool.h>
#include <stdint.h>

/* A change of many things in batches: how fast, how far, and whether somebody wants it to stop. */
struct bulk {
    const char *verb; /* "replayed", for the progress */
    long rate;        /* things a second; 0: as fast as it goes */
    long total;       /* things there are at first; 0: nobody knows */
    long done;
    int64_t next_us; /* before which the next batch does not begin */
    int64_t told_us; /* when the progress was said last */
    bool told;       /* a line of progress stands on the terminal */
};

enum { BULK_ASK_ABOVE = 100 /* what a person sees at a glance in a list */ };

/* Begin: from here on Ctrl-C and SIGTERM only ask for a stop between two batches. */
void bulk_begin(struct bulk *bulk, const char *verb, long rate);
/* Somebody asked for a stop. */
bool bulk_is_stopped(void);
/* How many things the next batch may have, at most MOST: no more than a second's worth. */
long bulk_batch(const struct bulk *bulk, long most);
/* Wait until the next batch may begin; false when it was stopped meanwhile. */
bool bulk_wait(struct bulk *bulk);
/* COUNT things more are done: say so from time to time on standard error, and set the time of the next batch. */
void bulk_advance(struct bulk *bulk, long count);
/* Take the line of progress off the terminal. */
void bulk_end(struct bulk *bulk);

/*
 * Ask on the terminal whether to go on with QUESTION, which has no question mark. True when the answer is yes, and when nobody
 * is there to ask: standard input or error is no terminal.
 */
bool bulk_confirm(const char *question);

#endif
