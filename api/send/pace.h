#ifndef NOTIFY_SEND_PACE_H
#define NOTIFY_SEND_PACE_H

#include <stddef.h>
#include <stdint.h>

/*
 * How often each of many may do something: so many times at once, and then one time each pause. Knows nobody for longer than
 * it takes until he may do it as often as somebody new, and of more than PACE_MAX the latest.
 */
struct pace;

enum { PACE_MAX = 4096 /* names: more workspaces than try settings out within a minute; half a MiB */ };

/* BURST: 1 at least. PAUSE_S: seconds, above 0. NULL is never returned. */
struct pace *pace_new(int burst, double pause_s);
void pace_free(struct pace *p);
/* 0: WHO, a text of less than 64 bytes, may do it now, and it is counted; else in how many seconds. NOW_US: of a clock that never goes back. */
double pace_take(struct pace *p, const char *who, int64_t now_us);
size_t pace_count(const struct pace *p);

#endif
