#ifndef NOTIFY_TESTS_DECODE_CHECK_H
#define NOTIFY_TESTS_DECODE_CHECK_H

#include "common/base/arena.h"
#include "worker/raw_message.h"

/*
 * Decode RAW, as from a producers' queue or as from one of ours, and hold what comes out against decode.h's promises: an
 * event is complete, its texts are storable and within their limits; a reject has a reason and a detail. Then what
 * the program makes of it: put off, it comes back as the same event; dead, it is a message that the broker takes.
 */
void decode_check(struct arena *arena, const struct raw_message *raw);

#endif
