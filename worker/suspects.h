#ifndef NOTIFY_WORKER_SUSPECTS_H
#define NOTIFY_WORKER_SUSPECTS_H

#include <stdbool.h>
#include <stdint.h>

struct publish_message;

/*
 * Messages that may be why the broker closes the connection. It does not say which one it was, and all that is under way is
 * sent again: so one that was under way SUSPECTS_LOST times in a row is sent alone. Lost alone as well, it is set aside for a
 * while that doubles, and the others go. Lost alone SUSPECTS_LOST times, and again after others were confirmed in between, it is the one.
 */
enum { SUSPECTS_LOST = 3 };

/* Of one message; zero when nothing is held against it. */
struct suspect {
    int lost;              /* connections in a row with which it was lost */
    int lost_alone;        /* those of them on which nothing else was under way */
    uint64_t passed;       /* messages that had been confirmed when it was lost alone the last time */
    bool others_passed;    /* between two of those times */
    int64_t not_before_us; /* monotonic */
};

/* It is to be sent while nothing else is under way. */
bool suspects_is_one(const struct suspect *suspect);
/* The connection was lost with it. */
void suspects_add(struct suspect *suspect);
/* So it was, with M alone under way, after PASSED messages were confirmed. Says so in the log, and sets its pause. */
void suspects_add_alone(struct publish_message *m, uint64_t passed, int64_t now_us);
/* It is what the broker does not take, since it has taken others. */
bool suspects_is_proved(const struct suspect *suspect);

#endif
