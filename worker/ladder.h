#ifndef NOTIFY_WORKER_LADDER_H
#define NOTIFY_WORKER_LADDER_H

#include "common/base/arena.h"
#include "worker/publish.h"

/*
 * The retry ladder: where a message enters it to come out of notify.due after a delay. Pure.
 */
enum { LADDER_MAX_SECONDS = (1 << 17) - 1, LADDER_KEY = 2 * 17, LADDER_TRIP_MAX = 86400 };

/* Round up to four significant bits, at least 1, at most LADDER_MAX_SECONDS: then at most four queues are
 * passed. */
int ladder_round(double seconds);
/* The longest delay that ladder_round leaves as it is and that does not pass a time SECONDS ahead by a second
 * or more, at most a day: what then remains is another trip. Rounding up would miss a time by an eighth. */
int ladder_trip_towards(double seconds);
/* Exchange and routing key for a delay that ladder_round gave. */
void ladder_route(int seconds, char exchange[32], char key[LADDER_KEY]);

/*
 * Send MESSAGE so that it comes back after DELAY_S (0 or less: at once). The route is allocated in ARENA, which must
 * live until the message is confirmed. Returns the delay in whole seconds that it will take.
 */
int ladder_put(struct publish_message *message, struct arena *arena, double delay_s);

#endif
