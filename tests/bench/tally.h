#ifndef NOTIFY_BENCH_TALLY_H
#define NOTIFY_BENCH_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/* What arrived: by path and second, how long after it was published, and how often under the same id. */
enum tally_answer { TALLY_DELIVERED, TALLY_REFUSED, TALLY_SILENCE, TALLY_ANSWERS };

struct tally_path;

/* Figures for PATH (SIZE characters), which has none yet; NULL when there are too many paths. Valid for ever. */
struct tally_path *tally_path_new(const char *path, size_t size);
/*
 * A request has been read whole. ID (ID_SIZE characters, NULL: it has none) is what a repeat would share with it.
 * SENT_NS: when its event was published, on the monotonic clock; -1: not known. BODY_SIZE in bytes.
 */
void tally_request(struct tally_path *path, const char *id, size_t id_size, int64_t sent_ns,
                   size_t body_size);
/* What it will be answered. */
void tally_answered(struct tally_path *path, enum tally_answer answer);
/* Everything is 0 again, and seconds are counted from now. */
void tally_reset(void);
/* All of it as one JSON object. */
void tally_add_json(struct buf *out);

#endif
